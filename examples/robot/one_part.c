/* One part in C: cc -O2 one_part.c voxgate.c -lzmq -lpthread -o one_part
 *
 *   ./one_part POSES COMMANDS VERDICTS CELL JOB PART RECIPE [PUBLIC SECRET BOX]
 *
 * Says MOVE when the job is open, waits for a line on stdin (the last exposure is over), prints the
 * answer and exits with 0 only for a part that may go on.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "voxgate.h"

static volatile int standing = 1;

static void *say_where_we_stand(void *box) { /* a real robot says where it is */
  const double p_mm[3] = {500, 0, 500}, q_wxyz[4] = {1, 0, 0, 0};
  const struct timespec period = {0, 8000000};
  struct timespec now;
  for (uint64_t seq = 0; standing; seq++) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    voxgate_pose(box, seq, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, p_mm, q_wxyz);
    nanosleep(&period, NULL);
  }
  return NULL;
}

/* Of a tray: whom to pick out, and where it stands. */
static void say_odd(const voxgate_box *box) {
  static voxgate_instance found[VOXGATE_MOST_INSTANCES];
  unsigned count = voxgate_instances(box, found, VOXGATE_MOST_INSTANCES);
  for (unsigned part = 0; part < count; part++) {
    const double *at = found[part].centre_base_mm;
    if (found[part].oddity != VOXGATE_REGULAR)
      printf(" ODD %d at %.1f %.1f %.1f mm", found[part].id, at[0], at[1], at[2]);
  }
}

int main(int count, char **given) {
  char why[512] = "the job was not started", line[16];
  voxgate_answer answer = VOXGATE_NOT_PASSED;
  voxgate_options options = {0};
  pthread_t poses;
  voxgate_box *box;
  if (count != 8 && count != 11) {
    fprintf(stderr, "usage: %s POSES COMMANDS VERDICTS CELL JOB PART RECIPE [PUBLIC SECRET BOX]\n", given[0]);
    return 2;
  }
  options.poses = given[1], options.commands = given[2], options.verdicts = given[3];
  options.cell = given[4];
  if (count == 11) options.public_key = given[8], options.secret_key = given[9], options.box_key = given[10];
  options.accept_simulated = 1; /* on a line: 0 */
  if (!(box = voxgate_open(&options))) {
    fprintf(stderr, "an endpoint or a key cannot be used\n");
    return 2;
  }
  pthread_create(&poses, NULL, say_where_we_stand, box);
  if (voxgate_ready(box, 30000) && !voxgate_start(box, given[5], given[6], given[7], 5000)) {
    printf("MOVE\n");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin)) answer = voxgate_stop(box, given[5], 30000, why, sizeof why);
  }
  standing = 0;
  pthread_join(poses, NULL);
  printf("%s %s", answer == VOXGATE_PASSED ? "PASSED" : "NOT PASSED", why);
  say_odd(box);
  printf("\n");
  voxgate_close(box);
  return answer == VOXGATE_PASSED ? 0 : 1;
}
