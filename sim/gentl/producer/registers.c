/* What the registers do: ranges, locks, commands, and the values the camera works out itself. */
#include <math.h>
#include <string.h>

#include "producer.h"

typedef enum { KIND_INTEGER, KIND_FLOAT, KIND_BOOLEAN, KIND_ENUMERATION, KIND_COMMAND, KIND_TEXT } register_kind;
enum { ACCESS_RO = 1, ACCESS_WO = 2, ACCESS_RW = 3, FLAG_LOCKED = 4, FLAG_STORED = 8 };

typedef struct {
    const char *name;
    uint32_t address;
    uint32_t count;
    register_kind kind;
    int flags;
    double low, high;
    int64_t step;
    double initial;
    const int64_t *words;
    size_t word_count;
    const int64_t *values;
} register_row;

#include "registers_table.h"
#define ROWS (sizeof register_table / sizeof register_table[0])
#define WORD 8

int64_t get_register(const link_control *shared, int address) {
    return __atomic_load_n((const int64_t *)(const void *)(shared->registers + address), __ATOMIC_ACQUIRE);
}

void set_register(link_control *shared, int address, int64_t value) {
    __atomic_store_n((int64_t *)(void *)(shared->registers + address), value, __ATOMIC_RELEASE);
}

double get_float(const link_control *shared, int address) {
    int64_t bits = get_register(shared, address);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void set_float(link_control *shared, int address, double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    set_register(shared, address, bits);
}

static uint32_t length_of(const register_row *row) { return row->kind == KIND_TEXT ? TEXT_BYTES : WORD; }

/* The row of the register that begins at exactly this address, and its place in a selected one. */
static const register_row *row_at(uint64_t address, size_t *index) {
    for (size_t i = 0; i < ROWS; i++) {
        const register_row *row = &register_table[i];
        uint64_t into = address - row->address;
        if (address < row->address || into >= (uint64_t)row->count * length_of(row)) continue;
        *index = into / length_of(row);
        return into % length_of(row) == 0 ? row : NULL;
    }
    return NULL;
}

/* power ---------------------------------------------------------------------------------------- */

static void set_initial(const camera_link *link, uint8_t *registers) {
    memset(registers, 0, REGISTER_BYTES);
    for (size_t i = 0; i < ROWS; i++) {
        const register_row *row = &register_table[i];
        for (uint32_t k = 0; row->kind != KIND_TEXT && k < row->count; k++) {
            int64_t word = row->values != NULL ? row->values[k] : (int64_t)row->initial;
            if (row->kind == KIND_FLOAT) memcpy(&word, &row->initial, sizeof word);
            memcpy(registers + row->address + k * WORD, &word, sizeof word);
        }
    }
    memcpy(registers + REG_Width, &link->plan.width, WORD);
    memcpy(registers + REG_Height, &link->plan.height, WORD);
    if (link->plan.range_format != 0)
        memcpy(registers + REG_PixelFormat + component_of_3d(&link->plan) * WORD, &link->plan.range_format, WORD);
}

/* Takes over the stored registers of a set; the others stay as they are. */
static void load_set(camera_link *link, int64_t which) {
    uint8_t set[REGISTER_BYTES];
    if (which == 1)
        memcpy(set, link->shared->user_set, sizeof set);
    else
        set_initial(link, set);
    for (size_t i = 0; i < ROWS; i++) {
        const register_row *row = &register_table[i];
        if (row->flags & FLAG_STORED)
            memcpy(link->shared->registers + row->address, set + row->address, row->count * length_of(row));
    }
}

void power_on(camera_link *link) {
    link_control *shared = link->shared;
    char user_name[TEXT_BYTES];
    int64_t start_with = get_register(shared, REG_UserSetDefault) == 1;
    memcpy(user_name, shared->registers + REG_DeviceUserID, TEXT_BYTES); /* kept, as in a flash */
    bool first = !__atomic_load_n(&shared->powered, __ATOMIC_ACQUIRE);
    set_initial(link, shared->registers);
    memcpy(shared->registers + REG_DeviceUserID, user_name, TEXT_BYTES);
    if (first)
        set_initial(link, shared->user_set);
    else if (start_with == 1)
        load_set(link, 1);
    set_register(shared, REG_UserSetDefault, start_with);
    __atomic_store_n(&shared->powered, 1, __ATOMIC_RELEASE);
}

/* A power cycle: registers answer again, but whoever streams hears nothing until he opens it anew. */
void reboot(device *rebooted) {
    link_control *shared = rebooted->link.shared;
    __atomic_store_n(&shared->acquiring, 0, __ATOMIC_RELEASE);
    shared->ptp_since_host_ns = 0;
    clock_to_zero(&rebooted->link);
    power_on(&rebooted->link);
    rebooted->reboots = shared->rebooted = __atomic_load_n(&shared->reboots, __ATOMIC_ACQUIRE);
    rebooted->silent = true;
}

/* reading -------------------------------------------------------------------------------------- */

static void refresh_text(link_control *shared, const camera_link *link) {
    uint8_t *registers = shared->registers;
    memcpy(registers + REG_DeviceVendorName, link->plan.vendor, TEXT_BYTES);
    memcpy(registers + REG_DeviceModelName, link->plan.model, TEXT_BYTES);
    memcpy(registers + REG_DeviceVersion, link->plan.version, TEXT_BYTES);
    strncpy((char *)registers + REG_DeviceFirmwareVersion, VERSION, TEXT_BYTES);
    copy_serial(link, (char *)registers + REG_DeviceSerialNumber);
}

static void refresh_size(link_control *shared, const camera_link *link) {
    const link_plan *plan = &link->plan;
    set_register(shared, REG_SensorWidth, plan->width);
    set_register(shared, REG_SensorHeight, plan->height);
    set_register(shared, REG_WidthMax, plan->width - get_register(shared, REG_OffsetX));
    set_register(shared, REG_HeightMax, plan->height - get_register(shared, REG_OffsetY));
    set_register(shared, REG_OffsetXMax, plan->width - get_register(shared, REG_Width));
    set_register(shared, REG_OffsetYMax, plan->height - get_register(shared, REG_Height));
    set_register(shared, REG_PayloadSize, (int64_t)payload_bytes(link));
}

enum { OUTPUT_GRID, OUTPUT_DISTANCE, OUTPUT_DISPARITY };

static int64_t output_mode(const link_plan *plan, int64_t format) {
    if (plan->baseline_m > 0) return OUTPUT_DISPARITY;
    return format == FORMAT_Coord3D_ABC32f ? OUTPUT_GRID : OUTPUT_DISTANCE;
}

static void refresh_lens(link_control *shared, const link_plan *plan) {
    for (int component = 0; component < CHOICES; component++) {
        double by = (double)divisor(plan, component);
        set_float(shared, REG_Scan3dFocalLength + component * WORD, plan->focal_px / by);
        /* the middle of the first pixel is 0 */
        set_float(shared, REG_Scan3dPrincipalPointU + component * WORD, (plan->centre_u_px + 0.5) / by - 0.5);
        set_float(shared, REG_Scan3dPrincipalPointV + component * WORD, (plan->centre_v_px + 0.5) / by - 0.5);
    }
    set_float(shared, REG_Scan3dBaseline, plan->baseline_m);
}

static void refresh_scan3d(link_control *shared, const camera_link *link) {
    const link_plan *plan = &link->plan;
    int depth = 2 * WORD; /* CoordinateC */
    int64_t format = get_register(shared, REG_PixelFormat + (int)component_of_3d(plan) * WORD);
    bool counts = format != FORMAT_Coord3D_ABC32f;
    double coarser = counts ? (double)(1 << (16 - bits_of_value(format))) : 1.0;
    set_register(shared, REG_Has3d, plan->range_format != 0);
    set_register(shared, REG_HasRange, plan->range_format != 0 && plan->baseline_m == 0);
    set_register(shared, REG_HasDisparity, plan->range_format != 0 && plan->baseline_m > 0);
    set_register(shared, REG_Scan3dOutputMode, output_mode(plan, format));
    set_register(shared, REG_Scan3dDistanceUnit, plan->baseline_m > 0);
    for (int axis = 0; axis < 3; axis++) {
        set_float(shared, REG_Scan3dCoordinateScale + axis * WORD, 1.0);
        set_float(shared, REG_Scan3dCoordinateOffset + axis * WORD, 0.0);
    }
    set_register(shared, REG_Scan3dInvalidDataFlag + depth, 1);
    set_float(shared, REG_Scan3dInvalidDataValue + depth, counts ? floor(plan->range_invalid / coarser) : 0.0);
    set_float(shared, REG_Scan3dCoordinateScale + depth, counts ? plan->range_scale * coarser : 1.0);
    set_float(shared, REG_Scan3dCoordinateOffset + depth, counts ? plan->range_offset : 0.0);
    refresh_lens(shared, plan);
}

static double resulting_rate_hz(link_control *shared) {
    double wanted = get_float(shared, REG_AcquisitionFrameRate);
    double busy_s = get_float(shared, REG_ExposureTime) * 1e-6 + (double)shared->readout_ns * 1e-9;
    return busy_s > 0 && 1 / busy_s < wanted ? 1 / busy_s : wanted;
}

static void refresh(const camera_link *link) {
    link_control *shared = link->shared;
    refresh_text(shared, link);
    refresh_size(shared, link);
    refresh_scan3d(shared, link);
    double temperature = shared->temperature_c;
    set_float(shared, REG_DeviceTemperature, isfinite(temperature) ? temperature : 0);
    set_float(shared, REG_AcquisitionResultingFrameRate, resulting_rate_hz(shared));
    set_register(shared, REG_LineStatus, line_level(link, host_ns()));
}

GC_ERROR read_registers(device *of, uint64_t address, void *out, size_t bytes) {
    if (bytes > REGISTER_BYTES || address > REGISTER_BYTES - bytes) return GC_ERR_INVALID_ADDRESS;
    refresh(&of->link);
    memcpy(out, of->link.shared->registers + address, bytes);
    return GC_ERR_SUCCESS;
}

/* writing -------------------------------------------------------------------------------------- */

static bool is_word(const register_row *row, int64_t value) {
    for (size_t i = 0; i < row->word_count; i++)
        if (row->words[i] == value) return true;
    return false;
}

static bool is_possible(const register_row *row, int64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    switch (row->kind) {
    case KIND_FLOAT: return isfinite(number) && number >= row->low && number <= row->high;
    case KIND_BOOLEAN: return bits == 0 || bits == 1;
    case KIND_COMMAND: return bits == 1;
    case KIND_ENUMERATION: return is_word(row, bits);
    default:
        return (double)bits >= row->low && (double)bits <= row->high &&
               (bits - (int64_t)row->low) % row->step == 0;
    }
}

static bool is_component(const camera_link *link, int64_t component) {
    if (component == COMPONENT_Intensity) return true;
    if (link->plan.range_format == 0) return false;
    return component == COMPONENT_Confidence || component == component_of_3d(&link->plan);
}

/* What no register can see alone. */
static bool agrees(const camera_link *link, const register_row *row, size_t index, int64_t value) {
    const link_control *shared = link->shared;
    switch (row->address) {
    case REG_Width: return value <= link->plan.width - get_register(shared, REG_OffsetX);
    case REG_Height: return value <= link->plan.height - get_register(shared, REG_OffsetY);
    case REG_OffsetX: return value <= link->plan.width - get_register(shared, REG_Width);
    case REG_OffsetY: return value <= link->plan.height - get_register(shared, REG_Height);
    case REG_ComponentSelector: return is_component(link, value);
    case REG_ComponentEnable: return is_component(link, (int64_t)index);
    case REG_PixelFormat:
        return is_component(link, (int64_t)index) && is_format_of(link, (int64_t)index, value);
    default: return true;
    }
}

static GC_ERROR save_set(link_control *shared) {
    if (get_register(shared, REG_UserSetSelector) != 1) return GC_ERR_ACCESS_DENIED;
    memcpy(shared->user_set, shared->registers, REGISTER_BYTES);
    return GC_ERR_SUCCESS;
}

static GC_ERROR software_trigger(device *of) {
    const link_control *shared = of->link.shared;
    if (get_register(shared, REG_TriggerMode) != 1 || get_register(shared, REG_TriggerSource) != 0)
        return GC_ERR_ACCESS_DENIED;
    of->software_trigger_ns = host_ns();
    if (of->stream != NULL) pthread_cond_signal(&of->stream->wake);
    return GC_ERR_SUCCESS;
}

static void start(device *of) {
    of->starts++;
    of->started_ns = host_ns();
    of->pulses_at_start = __atomic_load_n(&of->link.shared->pulse_count, __ATOMIC_ACQUIRE);
    of->software_trigger_ns = 0;
    __atomic_store_n(&of->link.shared->acquiring, 1, __ATOMIC_RELEASE);
    if (of->stream != NULL) pthread_cond_signal(&of->stream->wake);
}

static GC_ERROR act(device *of, uint32_t address) {
    link_control *shared = of->link.shared;
    switch (address) {
    case REG_DeviceReset: reboot(of); break;
    case REG_TimestampReset:
        if (shared->ptp_since_host_ns != 0) return GC_ERR_ACCESS_DENIED; /* the master's time is not ours */
        clock_to_zero(&of->link);
        break;
    case REG_TimestampLatch:
        set_register(shared, REG_TimestampLatchValue, device_ns(&of->link, host_ns()));
        break;
    case REG_PtpDataSetLatch:
        set_register(shared, REG_PtpStatus, ptp_status(&of->link));
        set_register(shared, REG_PtpOffsetFromMaster, ptp_offset_ns(&of->link, host_ns()));
        break;
    case REG_AcquisitionStart: start(of); break;
    case REG_AcquisitionStop: __atomic_store_n(&shared->acquiring, 0, __ATOMIC_RELEASE); break;
    case REG_TriggerSoftware: return software_trigger(of);
    case REG_UserSetLoad: load_set(&of->link, get_register(shared, REG_UserSetSelector)); break;
    case REG_UserSetSave: return save_set(shared);
    default: return GC_ERR_INVALID_ADDRESS;
    }
    return GC_ERR_SUCCESS;
}

static GC_ERROR write_text(device *of, const register_row *row, const void *data, size_t bytes) {
    if (bytes != TEXT_BYTES) return GC_ERR_INVALID_PARAMETER;
    copy_text((char *)of->link.shared->registers + row->address, data);
    return GC_ERR_SUCCESS;
}

GC_ERROR write_register(device *of, uint64_t address, const void *data, size_t bytes) {
    link_control *shared = of->link.shared;
    size_t index = 0;
    int64_t value;
    const register_row *row = row_at(address, &index);
    if (row == NULL) return GC_ERR_INVALID_ADDRESS;
    if (!of->writable || !(row->flags & ACCESS_WO)) return GC_ERR_ACCESS_DENIED;
    if ((row->flags & FLAG_LOCKED) && get_register(shared, REG_TLParamsLocked) != 0)
        return GC_ERR_ACCESS_DENIED;
    if (row->kind == KIND_TEXT) return write_text(of, row, data, bytes);
    if (bytes != WORD) return GC_ERR_INVALID_PARAMETER;
    memcpy(&value, data, sizeof value);
    if (!is_possible(row, value) || !agrees(&of->link, row, index, value)) return GC_ERR_INVALID_VALUE;
    if (row->kind == KIND_COMMAND) return act(of, row->address);
    if (address == REG_PtpEnable) ptp_enable(&of->link, value != 0);
    set_register(shared, (int)address, value);
    return GC_ERR_SUCCESS;
}
