/* From what stands before the lens to what the camera was told to deliver. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "producer.h"

#define NO_RETURN 0.0f /* in all three floats */

/* lines of the image --------------------------------------------------------------------------- */

typedef struct {
    uint16_t red, green, blue;
} colour;

static uint16_t wide(uint8_t value) { return (uint16_t)(value * 257); }

/* ITU-R BT.601 in 1/256 */
static uint16_t grey(colour c) { return (uint16_t)((77u * c.red + 150u * c.green + 29u * c.blue) >> 8); }

static colour seen(int64_t format, const uint8_t *line, int64_t column) {
    uint16_t deep;
    switch (format) {
    case FORMAT_RGB8:
        line += 3 * column;
        return (colour){wide(line[0]), wide(line[1]), wide(line[2])};
    case FORMAT_Mono16:
        memcpy(&deep, line + 2 * column, sizeof deep);
        return (colour){deep, deep, deep};
    default:
        deep = wide(line[column]);
        return (colour){deep, deep, deep};
    }
}

static uint16_t behind_filter(colour c, int64_t column, int64_t row) {
    bool red = column % 2 == 0 && row % 2 == 0, blue = column % 2 == 1 && row % 2 == 1;
    return red ? c.red : blue ? c.blue : c.green;
}

static bool has_filter(int64_t format) {
    return format == FORMAT_BayerRG8 || format == FORMAT_BayerRG12p || format == FORMAT_BayerRG12Packed;
}

static void put_rgb(colour c, uint8_t *out) {
    out[0] = (uint8_t)(c.red >> 8), out[1] = (uint8_t)(c.green >> 8), out[2] = (uint8_t)(c.blue >> 8);
}

static uint16_t value_of(const part *wanted, colour c, int64_t column, int64_t row) {
    uint16_t deep = has_filter(wanted->format) ? behind_filter(c, wanted->x + column, wanted->y + row) : grey(c);
    return (uint16_t)(deep >> (16 - bits_of_value(wanted->format)));
}

/* lines of the cloud --------------------------------------------------------------------------- */

typedef struct {
    float a, b, c;
} point;

static const point nowhere = {NO_RETURN, NO_RETURN, NO_RETURN};

static bool is_return(point p) {
    return isfinite(p.a) && isfinite(p.b) && isfinite(p.c) && (p.a != 0 || p.b != 0 || p.c != 0);
}

static point point_at(const camera_link *link, const uint8_t *line, const float *rays, const part *of,
                      int64_t column, int64_t row) {
    const link_plan *plan = &link->plan;
    point found;
    uint16_t count;
    if (plan->range_format == FORMAT_Coord3D_ABC32f) {
        memcpy(&found, line + (size_t)column * sizeof found, sizeof found);
        return is_return(found) ? found : nowhere;
    }
    memcpy(&count, line + 2 * column, sizeof count);
    if (count == plan->range_invalid) return nowhere;
    double z = count * plan->range_scale + plan->range_offset;
    double x = rays != NULL ? rays[2 * column] : ((double)(of->x + column) - plan->centre_u_px) / plan->focal_px;
    double y = rays != NULL ? rays[2 * column + 1] : ((double)(of->y + row) - plan->centre_v_px) / plan->focal_px;
    found = (point){(float)(x * z), (float)(y * z), (float)z};
    return is_return(found) ? found : nowhere;
}

static uint16_t count_of(const link_plan *plan, point p) {
    double count = is_return(p) ? rint(((double)p.c - plan->range_offset) / plan->range_scale) : plan->range_invalid;
    if (!(count >= 0 && count <= 65535)) count = plan->range_invalid;
    return count >= 0 && count <= 65535 ? (uint16_t)count : 0;
}

static void put_point(const camera_link *link, int64_t format, point p, int64_t place, uint8_t *out) {
    switch (format) {
    case FORMAT_Coord3D_ABC32f: memcpy(out + (size_t)place * sizeof p, &p, sizeof p); break;
    case FORMAT_Confidence8: out[place] = is_return(p) ? 255 : 0; break;
    default: put_value(format, count_of(&link->plan, p) >> (16 - bits_of_value(format)), place, out);
    }
}

/* a part --------------------------------------------------------------------------------------- */

static int64_t stored_component(const camera_link *link, const part *wanted) {
    bool derived = wanted->component == COMPONENT_Confidence && !link->plan.has_confidence;
    return derived ? component_of_3d(&link->plan) : wanted->component;
}

typedef struct {
    const camera_link *link;
    const part *wanted;
    int64_t format; /* of the slot */
    int64_t width;  /* of a line of the slot */
    int64_t start;  /* of the component in the file */
    uint8_t *out;
    uint8_t *line;
    float *rays; /* NULL: a pinhole, or not needed */
} job;

static void put_pixel(const job *todo, int64_t column, int64_t row, int64_t place, uint8_t *out) {
    const part *wanted = todo->wanted;
    if (wanted->component != COMPONENT_Intensity) {
        point found = point_at(todo->link, todo->line, todo->rays, wanted, column, row);
        put_point(todo->link, wanted->format, found, place, out);
        return;
    }
    colour c = seen(todo->format, todo->line, column);
    if (wanted->format == FORMAT_RGB8) put_rgb(c, out + 3 * place);
    else put_value(wanted->format, value_of(wanted, c, column, row), place, out);
}

static bool is_copy(const job *todo) {
    return todo->format == todo->wanted->format && todo->format != FORMAT_Coord3D_ABC32f;
}

static bool copy_line(const job *todo, int64_t row) {
    const part *wanted = todo->wanted;
    int pixel_bytes = bytes_per_pixel(todo->format);
    int64_t first = (wanted->y + row) * todo->width + wanted->x;
    size_t line_bytes = (size_t)(wanted->width * pixel_bytes);
    if (!read_pixels(todo->link, todo->start + first * pixel_bytes, todo->line, line_bytes)) return false;
    if (todo->rays != NULL &&
        !read_pixels(todo->link, todo->link->plan.rays_offset + first * 8, todo->rays, (size_t)wanted->width * 8))
        return false;
    /* without padding a line may begin inside a byte: its pixels are counted from the first line's */
    size_t pitch = bytes_per_line(wanted->format, wanted->width) + wanted->padding;
    uint8_t *out = wanted->padding == 0 ? todo->out : todo->out + (size_t)row * pitch;
    int64_t place = wanted->padding == 0 ? row * wanted->width : 0;
    if (is_copy(todo))
        memcpy(out + place * pixel_bytes, todo->line, line_bytes);
    else
        for (int64_t column = 0; column < wanted->width; column++) put_pixel(todo, column, row, place + column, out);
    return true;
}

static bool is_whole_copy(const job *todo) {
    const part *wanted = todo->wanted;
    bool whole = wanted->width == todo->width && wanted->x == 0 && wanted->y == 0;
    return is_copy(todo) && whole && wanted->padding == 0;
}

static bool copy_lines(job *todo) {
    const part *wanted = todo->wanted;
    bool needs_rays = todo->link->plan.rays_offset != 0 && todo->format == FORMAT_Coord3D_C16 &&
                      wanted->format == FORMAT_Coord3D_ABC32f;
    bool copied = true;
    todo->line = malloc((size_t)(wanted->width * bytes_per_pixel(todo->format)));
    todo->rays = needs_rays ? malloc((size_t)wanted->width * 8) : NULL;
    if (todo->line == NULL || (needs_rays && todo->rays == NULL)) copied = false;
    if (shares_bytes(wanted->format)) memset(todo->out, 0, wanted->bytes);
    for (int64_t row = 0; copied && row < wanted->height; row++) copied = copy_line(todo, row);
    free(todo->line);
    free(todo->rays);
    return copied;
}

/* Copies one part out of a slot; false when the file is shorter than it said. */
bool copy_part(const camera_link *link, int64_t slot, const part *wanted, uint8_t *out) {
    const link_plan *plan = &link->plan;
    int64_t component = stored_component(link, wanted);
    job todo = {.link = link, .wanted = wanted, .format = stored_format(plan, component), .out = out};
    todo.width = plan->width / divisor(plan, component);
    todo.start = plan->slots_offset + slot * plan->slot_bytes + stored_offset(plan, component);
    if (is_whole_copy(&todo)) return read_pixels(link, todo.start, out, wanted->bytes);
    return copy_lines(&todo);
}
