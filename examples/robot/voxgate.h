/* The robot's side of a VoxGate box: poses out, one part in, one answer.
 *
 * Plain C99 over libzmq, one file of code, no thread of its own: small enough to port to a gateway
 * beside a PLC. The rule that everything here serves: a part is passed only when the box said PASS
 * for this very job and its heart still beats. Every doubt is VOXGATE_NOT_PASSED.
 *
 * Not thread safe, but for voxgate_pose: it has a socket of its own and may run in one other thread.
 */
#ifndef VOXGATE_H
#define VOXGATE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct voxgate_box voxgate_box;

typedef enum { VOXGATE_NOT_PASSED = 0, VOXGATE_PASSED = 1 } voxgate_answer;

typedef struct {
  const char *poses, *commands, *verdicts; /* the box's endpoints, tcp://HOST:PORT, [HOST] for IPv6 */
  const char *cell;                        /* its name, part of every topic */
  const char *public_key, *secret_key;     /* this peer's own (Z85, 40 characters), or NULL: plain */
  const char *box_key;                     /* the box's public key */
  int accept_simulated;                    /* 0 on a line: a simulated PASS moves nothing */
} voxgate_options;

/* NULL when an option or a key is unusable; connecting itself goes on in the background. */
voxgate_box *voxgate_open(const voxgate_options *options);
void voxgate_close(voxgate_box *box);

/* Where the flange is in the robot's base: mm, unit quaternion w x y z, the robot's own clock in ns.
 * 125 to 1000 times a second, also between jobs. Returns 0, or -1 when it was not taken. */
int voxgate_pose(voxgate_box *box, uint64_t seq, int64_t t_robot_ns, const double p_mm[3],
                 const double q_wxyz[4]);

/* 1 when a heartbeat was heard within the last three periods. */
int voxgate_alive(voxgate_box *box);

/* 1 when the box is alive and READY within timeout_ms. */
int voxgate_ready(voxgate_box *box, int timeout_ms);

/* Have a recipe (name/version) prepared beside the one that serves; 0 when it serves. Else the one
 * before may still serve: no part of the new kind may be started. */
int voxgate_prepare(voxgate_box *box, const char *recipe, int timeout_ms);

/* Open a job; ids are 1 to 64 of A-Z a-z 0-9 . _ : -. 0 when it was opened: move, then trigger.
 * recipe: name/version that this part is for; the box refuses the job when another one serves. NULL
 * leaves it to the box, which refuses while a second recipe is on its way. */
int voxgate_start(voxgate_box *box, const char *job_id, const char *part_id, const char *recipe,
                  int timeout_ms);

/* After the last exposure: the answer, and why (at most `size` bytes, always ended by 0). */
voxgate_answer voxgate_stop(voxgate_box *box, const char *job_id, int timeout_ms, char *why,
                            unsigned size);

/* Of a tray of several parts: whom to pick out, and where it stands. Not compared is not regular. */
typedef enum { VOXGATE_REGULAR = 0, VOXGATE_ODD = 1, VOXGATE_NOT_COMPARED = 2 } voxgate_oddity;

typedef struct {
  int id;                   /* from 1 */
  double centre_base_mm[3]; /* in the robot's base */
  double score;             /* 1.0 is the threshold; 0 where it was not compared */
  voxgate_oddity oddity;
} voxgate_instance;

#define VOXGATE_MOST_INSTANCES 256

/* The parts of the tray that the last voxgate_stop answered for: writes up to `room` of them and
 * returns how many there are; 0: a single part, or no answer. They never make a part pass. */
unsigned voxgate_instances(const voxgate_box *box, voxgate_instance *found, unsigned room);

#ifdef __cplusplus
}
#endif
#endif
