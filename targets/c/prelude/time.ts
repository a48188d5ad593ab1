import type { Helper } from './helper.ts'

/** What code that is built for traces tells its times with: the clock that all processes of a machine share. */
export const timeHelpers: readonly Helper[] = [
  {
    name: 'gp_note_time',
    about: 'nanoseconds of the monotonic clock as element i of a list',
    text: `struct gp_time { long seconds, nanoseconds; };
int clock_gettime(int, struct gp_time *);
NOINLINE void gp_note_time(char *list, long i) {
  struct gp_time now;
  clock_gettime(1, &now);
  ((long *)list)[i] = now.seconds * 1000000000 + now.nanoseconds;
}`,
  },
]
