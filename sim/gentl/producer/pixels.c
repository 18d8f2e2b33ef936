/* From what stands before the lens to what the camera was told to deliver. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "producer.h"

#define WORD 8
#define PART_ALIGNMENT 16
#define NO_RETURN 0.0f /* in all three floats */

static const int64_t components[MOST_PARTS] = {COMPONENT_Intensity, COMPONENT_Range, COMPONENT_Confidence};

/* The parts of a frame as the registers are now; how many. */
int plan_parts(const camera_link *link, part parts[MOST_PARTS]) {
    const link_control *shared = link->shared;
    int count = 0;
    size_t offset = 0;
    for (int i = 0; i < MOST_PARTS; i++) {
        int64_t component = components[i];
        if (get_register(shared, REG_ComponentEnable + (int)component * WORD) != 1) continue;
        if (component != COMPONENT_Intensity && link->plan.range_format == 0) continue;
        part *made = &parts[count++];
        *made = (part){
            .component = component,
            .format = get_register(shared, REG_PixelFormat + (int)component * WORD),
            .width = get_register(shared, REG_Width),
            .height = get_register(shared, REG_Height),
            .x = get_register(shared, REG_OffsetX),
            .y = get_register(shared, REG_OffsetY),
            .offset = offset,
        };
        if (!is_deliverable(link, made)) return 0;
        made->padding = (size_t)link->plan.line_padding;
        made->bytes = (size_t)made->height * (bytes_per_line(made->format, made->width) + made->padding);
        offset += (made->bytes + PART_ALIGNMENT - 1) / PART_ALIGNMENT * PART_ALIGNMENT;
    }
    return count;
}

/* The registers stand in memory that others can write: believed only within the sensor. */
bool is_deliverable(const camera_link *link, const part *wanted) {
    const link_plan *plan = &link->plan;
    bool inside = wanted->x >= 0 && wanted->y >= 0 && wanted->width >= 2 && wanted->height >= 2 &&
                  wanted->width <= plan->width && wanted->height <= plan->height &&
                  wanted->x <= plan->width - wanted->width && wanted->y <= plan->height - wanted->height;
    if (!inside) return false;
    switch (wanted->format) {
    case FORMAT_Mono8:
    case FORMAT_Mono12:
    case FORMAT_Mono12p:
    case FORMAT_Mono12Packed:
    case FORMAT_Mono16:
    case FORMAT_RGB8:
    case FORMAT_BayerRG8: return wanted->component == COMPONENT_Intensity;
    case FORMAT_Coord3D_ABC32f:
    case FORMAT_Coord3D_C16: return wanted->component == COMPONENT_Range;
    case FORMAT_Confidence8: return wanted->component == COMPONENT_Confidence;
    default: return false;
    }
}

size_t payload_bytes(const camera_link *link) {
    part parts[MOST_PARTS];
    int count = plan_parts(link, parts);
    size_t image = count == 0 ? 0 : parts[count - 1].offset + parts[count - 1].bytes;
    bool chunks = get_register(link->shared, REG_ChunkModeActive) == 1;
    return image + (chunks ? PART_ALIGNMENT + MOST_CHUNKS * WORD : 0);
}

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

static uint8_t behind_filter(colour c, int64_t column, int64_t row) {
    bool red = column % 2 == 0 && row % 2 == 0, blue = column % 2 == 1 && row % 2 == 1;
    return (uint8_t)((red ? c.red : blue ? c.blue : c.green) >> 8);
}

/* Two pixels in three bytes: the lowest bit first (PFNC p), or the high bits outside (GigE Vision). */
static void put_12(int64_t format, uint16_t value, int64_t column, uint8_t *out) {
    out += column / 2 * 3;
    bool first = column % 2 == 0, p = format == FORMAT_Mono12p;
    uint8_t low = value & 0xF, high = (uint8_t)(value >> 4), shared = p && first ? (uint8_t)(value >> 8) : low;
    if (first) out[0] = p ? (uint8_t)(value & 0xFF) : high;
    else out[2] = high;
    out[1] = first ? shared : (uint8_t)((out[1] & 0xF) | shared << 4);
}

static void put_colour(const part *wanted, colour c, int64_t column, int64_t row, uint8_t *out) {
    uint16_t deep = grey(c);
    switch (wanted->format) {
    case FORMAT_RGB8:
        out += 3 * column;
        out[0] = (uint8_t)(c.red >> 8), out[1] = (uint8_t)(c.green >> 8), out[2] = (uint8_t)(c.blue >> 8);
        break;
    case FORMAT_BayerRG8: out[column] = behind_filter(c, wanted->x + column, wanted->y + row); break;
    case FORMAT_Mono8: out[column] = (uint8_t)(deep >> 8); break;
    case FORMAT_Mono12p:
    case FORMAT_Mono12Packed: put_12(wanted->format, deep >> 4, column, out); break;
    case FORMAT_Mono12: deep >>= 4; /* falls through */
    default: memcpy(out + 2 * column, &deep, sizeof deep);
    }
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

static void put_point(const camera_link *link, const part *wanted, point p, int64_t column, uint8_t *out) {
    uint16_t count;
    switch (wanted->format) {
    case FORMAT_Coord3D_ABC32f: memcpy(out + (size_t)column * sizeof p, &p, sizeof p); break;
    case FORMAT_Confidence8: out[column] = is_return(p) ? 255 : 0; break;
    default:
        count = count_of(&link->plan, p);
        memcpy(out + 2 * column, &count, sizeof count);
    }
}

/* a part --------------------------------------------------------------------------------------- */

static int64_t stored_component(const camera_link *link, const part *wanted) {
    bool derived = wanted->component == COMPONENT_Confidence && !link->plan.has_confidence;
    return derived ? COMPONENT_Range : wanted->component;
}

static int64_t format_in_slot(const camera_link *link, int64_t component) {
    if (component == COMPONENT_Intensity) return link->plan.intensity_format;
    return component == COMPONENT_Range ? link->plan.range_format : FORMAT_Confidence8;
}

typedef struct {
    const camera_link *link;
    const part *wanted;
    int64_t format; /* of the slot */
    int64_t start;  /* of the component in the file */
    uint8_t *line;
    float *rays; /* NULL: a pinhole, or not needed */
} job;

static bool copy_line(const job *todo, int64_t row, uint8_t *out) {
    const link_plan *plan = &todo->link->plan;
    const part *wanted = todo->wanted;
    int pixel_bytes = bytes_per_pixel(todo->format);
    int64_t first = (wanted->y + row) * plan->width + wanted->x;
    size_t line_bytes = (size_t)(wanted->width * pixel_bytes);
    if (!read_pixels(todo->link, todo->start + first * pixel_bytes, todo->line, line_bytes)) return false;
    if (todo->rays != NULL &&
        !read_pixels(todo->link, plan->rays_offset + first * 8, todo->rays, (size_t)wanted->width * 8))
        return false;
    if (todo->format == wanted->format && wanted->format != FORMAT_Coord3D_ABC32f) {
        memcpy(out, todo->line, line_bytes);
        return true;
    }
    for (int64_t column = 0; column < wanted->width; column++)
        if (wanted->component == COMPONENT_Intensity)
            put_colour(wanted, seen(todo->format, todo->line, column), column, row, out);
        else
            put_point(todo->link, wanted, point_at(todo->link, todo->line, todo->rays, wanted, column, row),
                      column, out);
    return true;
}

static bool is_whole_copy(const job *todo) {
    const link_plan *plan = &todo->link->plan;
    const part *wanted = todo->wanted;
    return todo->format == wanted->format && wanted->format != FORMAT_Coord3D_ABC32f &&
           wanted->width == plan->width && wanted->height == plan->height && wanted->padding == 0;
}

static bool copy_lines(job *todo, uint8_t *out) {
    const part *wanted = todo->wanted;
    size_t pitch = bytes_per_line(wanted->format, wanted->width) + wanted->padding;
    bool needs_rays = todo->link->plan.rays_offset != 0 && todo->format == FORMAT_Coord3D_C16 &&
                      wanted->format != FORMAT_Coord3D_C16;
    bool copied = true;
    todo->line = malloc((size_t)(wanted->width * bytes_per_pixel(todo->format)));
    todo->rays = needs_rays ? malloc((size_t)wanted->width * 8) : NULL;
    if (todo->line == NULL || (needs_rays && todo->rays == NULL)) copied = false;
    for (int64_t row = 0; copied && row < wanted->height; row++)
        copied = copy_line(todo, row, out + (size_t)row * pitch);
    free(todo->line);
    free(todo->rays);
    return copied;
}

/* Copies one part out of a slot; false when the file is shorter than it said. */
bool copy_part(const camera_link *link, int64_t slot, const part *wanted, uint8_t *out) {
    const link_plan *plan = &link->plan;
    int64_t component = stored_component(link, wanted);
    job todo = {.link = link, .wanted = wanted, .format = format_in_slot(link, component)};
    todo.start = plan->slots_offset + slot * plan->slot_bytes + stored_offset(plan, component);
    if (is_whole_copy(&todo)) return read_pixels(link, todo.start, out, wanted->bytes);
    return copy_lines(&todo, out);
}
