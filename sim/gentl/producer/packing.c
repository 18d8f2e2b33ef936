/* How a value lies in memory: in words of its own, bit by bit (PFNC "p"), or in GigE Vision's pairs. */
#include <string.h>

#include "producer.h"

typedef enum { IN_WORDS, IN_BITS, IN_PAIRS } way;

static way way_of(int64_t format) {
    switch (format) {
    case FORMAT_Mono10p:
    case FORMAT_Mono12p:
    case FORMAT_BayerRG12p:
    case FORMAT_Coord3D_C12p: return IN_BITS;
    case FORMAT_Mono10Packed:
    case FORMAT_Mono12Packed:
    case FORMAT_BayerRG12Packed: return IN_PAIRS;
    default: return IN_WORDS;
    }
}

/* Of a format with one value per pixel: how many of its bits count. */
int bits_of_value(int64_t format) {
    switch (format) {
    case FORMAT_Mono8:
    case FORMAT_BayerRG8:
    case FORMAT_Confidence8: return 8;
    case FORMAT_Mono10:
    case FORMAT_Mono10p:
    case FORMAT_Mono10Packed: return 10;
    case FORMAT_Mono12:
    case FORMAT_Mono12p:
    case FORMAT_Mono12Packed:
    case FORMAT_BayerRG12p:
    case FORMAT_BayerRG12Packed:
    case FORMAT_Coord3D_C12p: return 12;
    default: return 16;
    }
}

/* Whether two pixels may have bits in one byte: then what is laid down is added to what is there. */
bool shares_bytes(int64_t format) { return way_of(format) != IN_WORDS; }

/* The lowest bit first. */
static void put_bits(uint16_t value, int bits, int64_t place, uint8_t *out) {
    for (int bit = 0; bit < bits; bit++) {
        int64_t at = place * bits + bit;
        out[at / 8] |= (uint8_t)((value >> bit & 1) << at % 8);
    }
}

/* Two in three bytes: the high bits outside, the low ones of both between. */
static void put_pair(uint16_t value, int bits, int64_t place, uint8_t *out) {
    int low = bits - 8;
    bool first = place % 2 == 0;
    out += place / 2 * 3;
    out[first ? 0 : 2] = (uint8_t)(value >> low);
    out[1] |= (uint8_t)((value & ((1 << low) - 1)) << (first ? 0 : 4));
}

/* Lays a value down as the `place`th from `out`, which holds 0 where bytes are shared. */
void put_value(int64_t format, uint16_t value, int64_t place, uint8_t *out) {
    int bits = bits_of_value(format);
    switch (way_of(format)) {
    case IN_BITS: put_bits(value, bits, place, out); break;
    case IN_PAIRS: put_pair(value, bits, place, out); break;
    default:
        if (bits == 8) out[place] = (uint8_t)value;
        else memcpy(out + 2 * place, &value, sizeof value);
    }
}
