#include "voxgate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define REPLY_BYTES (1 << 20) /* a verdict with every list full stays below this */
#define TOPIC_BYTES 64
#define ID_CHARACTERS 64
#define MISSED_HEARTBEATS 3 /* so many in a row: the box is not there */
#define LISTEN_MS 20

struct voxgate_box {
  void *context, *poses, *commands, *verdicts;
  char heartbeat_topic[TOPIC_BYTES];
  char *message; /* the last one that was read, ended by 0 */
  uint64_t run, requests; /* `run` tells our requests from those of the program before */
  int64_t beat_ns, period_ns;
  int accept_simulated;
  unsigned instances;
  voxgate_instance instance[VOXGATE_MOST_INSTANCES]; /* of the last verdict */
};

/* --- JSON: as much of it as the box's messages need -------------------------------------------- */

static const char *skip_space(const char *at) {
  while (*at && isspace((unsigned char)*at)) at++;
  return at;
}

static const char *skip_string(const char *at) { /* at the opening quote; NULL: unfinished */
  for (at++; *at && *at != '"'; at++)
    if (*at == '\\' && !*++at) return NULL;
  return *at ? at + 1 : NULL;
}

static const char *skip_value(const char *at) { /* behind the value; NULL: unfinished */
  int depth = 0;
  at = skip_space(at);
  do {
    if (*at == '"') {
      if (!(at = skip_string(at))) return NULL;
      continue;
    }
    if (!*at) return NULL;
    if (*at == '{' || *at == '[') depth++;
    if (*at == '}' || *at == ']') depth--;
    at++;
  } while (depth > 0 || (*at && !strchr(",]}", *at) && depth >= 0));
  return at;
}

/* The value of `key` in the object at `object`; NULL when it is not there. */
static const char *member(const char *object, const char *key) {
  const char *at = object ? skip_space(object) : NULL;
  size_t length = strlen(key);
  if (!at || *at != '{') return NULL;
  at = skip_space(at + 1);
  while (*at == '"') {
    const char *name = at + 1;
    if (!(at = skip_string(at))) return NULL;
    int found = (size_t)(at - name - 1) == length && !memcmp(name, key, length);
    at = skip_space(at);
    if (*at != ':') return NULL;
    at = skip_space(at + 1);
    if (found) return at;
    if (!(at = skip_value(at))) return NULL;
    at = skip_space(at);
    if (*at == ',') at = skip_space(at + 1);
  }
  return NULL;
}

static int is_text(const char *value, const char *text) {
  size_t length = strlen(text);
  return value && *value == '"' && !strncmp(value + 1, text, length) && value[length + 1] == '"';
}

static int is_true(const char *value) { return value && !strncmp(value, "true", 4); }

/* Not strtod: it reads numbers as the program's language writes them. NULL, or no number: 0. */
static double number(const char *value) {
  double found = 0, unit = 1, ten = 10;
  int sign = 1, power = 0;
  if (!value) return 0;
  if (*value == '-') sign = -1, value++;
  for (; isdigit((unsigned char)*value); value++) found = 10 * found + (*value - '0');
  if (*value == '.')
    for (value++; isdigit((unsigned char)*value); value++) found += (*value - '0') * (unit /= 10);
  if (*value == 'e' || *value == 'E') {
    if (*++value == '-') ten = 0.1, value++;
    if (*value == '+') value++;
    for (; isdigit((unsigned char)*value) && power < 400; value++) power = 10 * power + (*value - '0');
    while (power--) found *= ten;
  }
  return sign * found;
}

/* The first value of the array at `array`, or the one behind `before`; NULL when there is none. */
static const char *element(const char *array, const char *before) {
  const char *at = before ? skip_value(before) : array && *array == '[' ? array + 1 : NULL;
  if (!at) return NULL;
  at = skip_space(at);
  if (before && *at++ != ',') return NULL;
  at = skip_space(at);
  return *at && *at != ']' ? at : NULL;
}

static int is_id(const char *text) {
  size_t length = text ? strlen(text) : 0;
  if (length < 1 || length > ID_CHARACTERS || !isalnum((unsigned char)*text)) return 0;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && !strchr("._:-", *text)) return 0;
  return 1;
}

static int is_recipe(const char *text) { /* name or name/version */
  size_t length = text ? strlen(text) : 0;
  if (length < 1 || length > 2 * ID_CHARACTERS + 1) return 0;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && !strchr("._-/", *text)) return 0;
  return 1;
}

/* --- sockets ------------------------------------------------------------------------------------ */

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *connected(voxgate_box *box, int kind, const char *endpoint, const voxgate_options *options) {
  int no_linger = 0, ping_ms = 1000, silent_ms = 3000, is_ipv6 = endpoint && strchr(endpoint, '[');
  void *socket = zmq_socket(box->context, kind);
  if (!socket || !endpoint) return NULL;
  zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
  zmq_setsockopt(socket, ZMQ_IPV6, &is_ipv6, sizeof is_ipv6);
  /* a cable that was pulled breaks the connection in seconds and not in a quarter of an hour */
  zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &ping_ms, sizeof ping_ms);
  zmq_setsockopt(socket, ZMQ_HEARTBEAT_TIMEOUT, &silent_ms, sizeof silent_ms);
  if (options->secret_key &&
      (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, options->public_key, 41) ||
       zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, options->secret_key, 41) ||
       zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, options->box_key, 41)))
    return NULL;
  return zmq_connect(socket, endpoint) ? NULL : socket;
}

/* The last part of the next message into box->message; its length, -1: none came in time. */
static int received(voxgate_box *box, void *socket, int timeout_ms, char *topic) {
  zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
  int length = -1, more = 1;
  size_t size = sizeof more;
  if (zmq_poll(&item, 1, timeout_ms) <= 0) return -1;
  for (int part = 0; more; part++) {
    length = zmq_recv(socket, box->message, REPLY_BYTES, 0);
    if (length < 0) return -1;
    if (length >= REPLY_BYTES) length = REPLY_BYTES - 1; /* cut: no JSON any more, so no PASS */
    box->message[length] = 0;
    if (topic && part == 0) snprintf(topic, TOPIC_BYTES, "%.*s", TOPIC_BYTES - 1, box->message);
    zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
  }
  return length;
}

static void hear(voxgate_box *box, int timeout_ms) {
  char topic[TOPIC_BYTES];
  while (received(box, box->verdicts, timeout_ms, topic) >= 0) {
    const char *period = member(box->message, "heartbeat_ms");
    if (!strcmp(topic, box->heartbeat_topic) && period) {
      box->beat_ns = now_ns();
      box->period_ns = strtoll(period, NULL, 10) * 1000000;
    }
    timeout_ms = 0;
  }
}

static int is_alive(const voxgate_box *box) {
  return box->beat_ns && now_ns() - box->beat_ns <= MISSED_HEARTBEATS * box->period_ns;
}

/* Send a command and wait for the reply to it, in box->message; 0: it came. A box without a
 * heartbeat is not waited for. */
static int asked(voxgate_box *box, const char *command, const char *fields, int timeout_ms) {
  char request[640], id[48];
  int64_t until_ns = now_ns() + (int64_t)timeout_ms * 1000000;
  snprintf(id, sizeof id, "c%llx-%llu", (unsigned long long)box->run,
           (unsigned long long)++box->requests);
  snprintf(request, sizeof request, "{\"request_id\":\"%s\",\"command\":\"%s\"%s}", id, command, fields);
  if (zmq_send(box->commands, request, strlen(request), ZMQ_DONTWAIT) < 0) return -1;
  while (now_ns() < until_ns && is_alive(box)) {
    hear(box, 0);
    if (received(box, box->commands, LISTEN_MS, NULL) >= 0 &&
        is_text(member(box->message, "request_id"), id))
      return 0; /* replies to commands that nobody waits for any more are dropped */
  }
  return -1;
}

/* --- what a robot program calls ----------------------------------------------------------------- */

voxgate_box *voxgate_open(const voxgate_options *options) {
  voxgate_box *box = (voxgate_box *)calloc(1, sizeof *box); /* the casts are for C++ compilers */
  if (!box) return NULL;
  box->run = (uint64_t)now_ns() ^ (uint64_t)time(NULL) << 32;
  box->accept_simulated = options->accept_simulated;
  box->message = (char *)malloc(REPLY_BYTES);
  box->context = zmq_ctx_new();
  if (box->context && box->message && options->cell && strlen(options->cell) <= 32) {
    snprintf(box->heartbeat_topic, TOPIC_BYTES, "heartbeat.%.32s", options->cell);
    box->poses = connected(box, ZMQ_PUB, options->poses, options);
    /* no ZMQ_REQ: it would wait for a lost reply for ever, and refuse to send anything else */
    box->commands = connected(box, ZMQ_DEALER, options->commands, options);
    box->verdicts = connected(box, ZMQ_SUB, options->verdicts, options);
  }
  if (!box->poses || !box->commands || !box->verdicts ||
      zmq_setsockopt(box->verdicts, ZMQ_SUBSCRIBE, box->heartbeat_topic, strlen(box->heartbeat_topic))) {
    voxgate_close(box);
    return NULL;
  }
  return box;
}

void voxgate_close(voxgate_box *box) {
  if (!box) return;
  if (box->poses) zmq_close(box->poses);
  if (box->commands) zmq_close(box->commands);
  if (box->verdicts) zmq_close(box->verdicts);
  if (box->context) zmq_ctx_shutdown(box->context), zmq_ctx_term(box->context);
  free(box->message);
  free(box);
}

int voxgate_pose(voxgate_box *box, uint64_t seq, int64_t t_robot_ns, const double p_mm[3],
                 const double q_wxyz[4]) {
  char pose[512];
  int length = snprintf(
      pose, sizeof pose,
      "{\"seq\":%llu,\"t_robot_ns\":%lld,\"p_mm\":[%.6f,%.6f,%.6f],\"q_wxyz\":[%.9f,%.9f,%.9f,%.9f]}",
      (unsigned long long)seq, (long long)t_robot_ns, p_mm[0], p_mm[1], p_mm[2], q_wxyz[0],
      q_wxyz[1], q_wxyz[2], q_wxyz[3]);
  if (length < 0 || (size_t)length >= sizeof pose) return -1;
  if (zmq_send(box->poses, "pose", 4, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return -1;
  return zmq_send(box->poses, pose, (size_t)length, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

int voxgate_alive(voxgate_box *box) {
  hear(box, 0);
  return is_alive(box);
}

int voxgate_ready(voxgate_box *box, int timeout_ms) {
  int64_t until_ns = now_ns() + (int64_t)timeout_ms * 1000000;
  while (now_ns() < until_ns) {
    hear(box, LISTEN_MS);
    if (voxgate_alive(box) && !asked(box, "get_state", "", 1000) &&
        is_text(member(box->message, "state"), "READY"))
      return 1;
  }
  return 0;
}

int voxgate_prepare(voxgate_box *box, const char *recipe, int timeout_ms) {
  char fields[256];
  if (!is_recipe(recipe)) return -1;
  snprintf(fields, sizeof fields, ",\"recipe\":\"%s\"", recipe);
  return !asked(box, "prepare_recipe", fields, timeout_ms) &&
                 is_text(member(box->message, "reply"), "done")
             ? 0
             : -1;
}

int voxgate_start(voxgate_box *box, const char *job_id, const char *part_id, const char *recipe,
                  int timeout_ms) {
  char fields[384];
  int length;
  if (!is_id(job_id) || !is_id(part_id) || (recipe && !is_recipe(recipe))) return -1;
  length = snprintf(fields, sizeof fields, ",\"job_id\":\"%s\",\"part_id\":\"%s\"", job_id, part_id);
  if (recipe) snprintf(fields + length, sizeof fields - (size_t)length, ",\"recipe\":\"%s\"", recipe);
  return !asked(box, "start_job", fields, timeout_ms) && is_text(member(box->message, "reply"), "done")
             ? 0
             : -1;
}

/* Whether the reply in box->message lets the part of this job go on; if not, why. */
static voxgate_answer judged(voxgate_box *box, const char *job_id, char *why, unsigned size) {
  const char *result = member(box->message, "result");
  const char *reasons = member(result, "reasons");
  const char *words = reasons ? reasons : member(box->message, "detail");
  const char *end = words ? skip_value(words) : NULL;
  snprintf(why, size, "%.*s", end ? (int)(end - words) : 0, words ? words : "");
  if (!is_text(member(result, "job_id"), job_id)) return VOXGATE_NOT_PASSED;
  if (!is_text(member(result, "outcome"), "PASS")) return VOXGATE_NOT_PASSED;
  if (is_true(member(result, "is_simulated")) && !box->accept_simulated) {
    snprintf(why, size, "a simulated PASS");
    return VOXGATE_NOT_PASSED;
  }
  return VOXGATE_PASSED;
}

static voxgate_instance instance_of(const char *part) {
  voxgate_instance found = {0, {0, 0, 0}, 0, VOXGATE_NOT_COMPARED};
  const char *odd = member(part, "odd"), *centre = member(part, "centre_base_mm"), *at = NULL;
  found.id = (int)number(member(part, "id"));
  found.score = number(member(part, "score"));
  for (int axis = 0; axis < 3 && (at = element(centre, at)); axis++) found.centre_base_mm[axis] = number(at);
  if (is_true(odd)) found.oddity = VOXGATE_ODD;
  if (odd && !strncmp(odd, "false", 5)) found.oddity = VOXGATE_REGULAR;
  return found;
}

/* The parts of the tray of this job, as long as box->message holds its verdict. */
static void remember(voxgate_box *box, const char *job_id) {
  const char *result = member(box->message, "result"), *parts = member(result, "instances"), *part = NULL;
  if (!is_text(member(result, "job_id"), job_id)) return;
  while (box->instances < VOXGATE_MOST_INSTANCES && (part = element(parts, part)))
    box->instance[box->instances++] = instance_of(part);
}

unsigned voxgate_instances(const voxgate_box *box, voxgate_instance *found, unsigned room) {
  unsigned count = room < box->instances ? room : box->instances;
  memcpy(found, box->instance, count * sizeof *found);
  return box->instances;
}

/* The robot has heard the verdict; that it was acknowledged changes nothing for the part. */
static void acknowledge(voxgate_box *box) {
  char fields[128];
  const char *id = member(member(box->message, "result"), "result_id");
  const char *end = id ? skip_value(id) : NULL;
  if (!end || *id != '"') return;
  snprintf(fields, sizeof fields, ",\"result_id\":%.*s", (int)(end - id), id);
  asked(box, "acknowledge", fields, 1000);
}

voxgate_answer voxgate_stop(voxgate_box *box, const char *job_id, int timeout_ms, char *why,
                            unsigned size) {
  char fields[128];
  voxgate_answer answer;
  box->instances = 0;
  snprintf(why, size, "the box did not answer");
  if (!is_id(job_id)) return VOXGATE_NOT_PASSED;
  snprintf(fields, sizeof fields, ",\"job_id\":\"%s\"", job_id);
  if (asked(box, "stop_job", fields, timeout_ms)) return VOXGATE_NOT_PASSED;
  answer = judged(box, job_id, why, size);
  remember(box, job_id);
  acknowledge(box);
  if (answer == VOXGATE_PASSED && !voxgate_alive(box)) {
    snprintf(why, size, "no heartbeat");
    return VOXGATE_NOT_PASSED;
  }
  return answer;
}
