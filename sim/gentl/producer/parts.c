/* How the parts of a frame lie in a buffer, as the registers are now. */
#include "producer.h"

#define WORD 8
#define PART_ALIGNMENT 16

static const int64_t components[] = {COMPONENT_Intensity, COMPONENT_Range, COMPONENT_Disparity, COMPONENT_Confidence};
#define COMPONENTS (sizeof components / sizeof components[0])

bool is_format_of(const camera_link *link, int64_t component, int64_t format) {
    const link_plan *plan = &link->plan;
    switch (format) {
    case FORMAT_Coord3D_ABC32f: /* where a point lies in x and y is known for whole distances only */
        return component == COMPONENT_Range && plan->range_divisor == 1 && plan->baseline_m == 0;
    case FORMAT_Coord3D_C16:
    case FORMAT_Coord3D_C12p: return is_3d(component);
    case FORMAT_Confidence8: return component == COMPONENT_Confidence;
    default: return component == COMPONENT_Intensity;
    }
}

static bool is_known(int64_t format) {
    switch (format) {
    case FORMAT_Mono8:
    case FORMAT_Mono10:
    case FORMAT_Mono10p:
    case FORMAT_Mono10Packed:
    case FORMAT_Mono12:
    case FORMAT_Mono12p:
    case FORMAT_Mono12Packed:
    case FORMAT_Mono16:
    case FORMAT_RGB8:
    case FORMAT_BayerRG8:
    case FORMAT_BayerRG12p:
    case FORMAT_BayerRG12Packed:
    case FORMAT_Coord3D_ABC32f:
    case FORMAT_Coord3D_C12p:
    case FORMAT_Coord3D_C16:
    case FORMAT_Confidence8: return true;
    default: return false;
    }
}

/* The registers stand in memory that others can write: believed only within the sensor. */
static bool is_deliverable(const camera_link *link, const part *wanted) {
    int64_t by = divisor(&link->plan, wanted->component);
    int64_t width = link->plan.width / by, height = link->plan.height / by;
    bool inside = wanted->x >= 0 && wanted->y >= 0 && wanted->width >= 1 && wanted->height >= 1 &&
                  wanted->width <= width && wanted->height <= height &&
                  wanted->x <= width - wanted->width && wanted->y <= height - wanted->height;
    return inside && is_known(wanted->format) && is_format_of(link, wanted->component, wanted->format);
}

static bool is_wanted(const camera_link *link, int64_t component) {
    if (is_3d(component) && component != component_of_3d(&link->plan)) return false;
    if (component != COMPONENT_Intensity && link->plan.range_format == 0) return false;
    return get_register(link->shared, REG_ComponentEnable + (int)component * WORD) == 1;
}

static part as_set(const camera_link *link, int64_t component) {
    const link_control *shared = link->shared;
    int64_t by = divisor(&link->plan, component);
    return (part){
        .component = component,
        .format = get_register(shared, REG_PixelFormat + (int)component * WORD),
        .width = get_register(shared, REG_Width) / by,
        .height = get_register(shared, REG_Height) / by,
        .x = get_register(shared, REG_OffsetX) / by,
        .y = get_register(shared, REG_OffsetY) / by,
        .padding = (size_t)link->plan.line_padding,
    };
}

/* Lines follow each other without a gap, inside a byte too; with padding each begins on its own byte. */
static size_t bytes_of(const part *of) {
    if (of->padding == 0) return bytes_per_line(of->format, of->width * of->height);
    return (size_t)of->height * (bytes_per_line(of->format, of->width) + of->padding);
}

/* The parts of a frame; how many. */
int plan_parts(const camera_link *link, part parts[MOST_PARTS]) {
    int count = 0;
    size_t offset = 0;
    for (size_t i = 0; i < COMPONENTS; i++) {
        if (!is_wanted(link, components[i])) continue;
        part made = as_set(link, components[i]);
        if (!is_deliverable(link, &made)) return 0;
        made.offset = offset;
        made.bytes = bytes_of(&made);
        offset += (made.bytes + PART_ALIGNMENT - 1) / PART_ALIGNMENT * PART_ALIGNMENT;
        parts[count++] = made;
    }
    return count;
}

size_t payload_bytes(const camera_link *link) {
    part parts[MOST_PARTS];
    int count = plan_parts(link, parts);
    size_t image = count == 0 ? 0 : parts[count - 1].offset + parts[count - 1].bytes;
    bool chunks = get_register(link->shared, REG_ChunkModeActive) == 1;
    return image + (chunks ? PART_ALIGNMENT + MOST_CHUNKS * WORD : 0);
}
