// Addons with code written by hand: what the loader of an addon may rely on does not depend on what its kernels compute.
import { teamHeader } from '../../targets/c/team.ts'
import { findCompiler } from '../../targets/native/index.ts'
import { codeHeader } from '../../targets/native/sources.ts'
import { compileAddon } from '../../targets/native/toolchain.ts'
import type { Addon, NativeInstance } from '../../targets/runtime/addon.ts'
import { levels, loadAddon, platform, regionOf, sanitizers, writeFile } from './harness.ts'

/** Bytes of each region of `scale` and `slow`: 16 floats of weights; an input and an output of 16 floats; 16 floats between them. */
export const regions = { constants: 64, mutable: 128, activations: 64 } as const

/**
 * Entries: 0 multiplies its input by the weights, by way of its activations; 1 does so after as many milliseconds as its first input says;
 * 2 ends with its first input as fault; 3 needs a mebibyte of inputs and outputs; 4 does what 0 does in many steps that threads divide.
 * `marker` makes files differ.
 */
const sourceOf = (marker: string, needs: string): string => `/* ${marker} */
${teamHeader}
static const char marker[] = "${marker}";
static int scale(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  (void)team;
  const float *w = (const float *)constants, *x = (const float *)mutable;
  float *y = (float *)(mutable + 64), *t = (float *)activations;
  for (int i = 0; i < 16; i++) t[i] = w[i] * x[i];
  for (int i = 0; i < 16; i++) y[i] = t[i];
  return marker[0] == 0;
}
long syscall(long number, ...);
static double now(void) {
  long time[2];
  syscall(${process.arch === 'x64' ? 228 : 113}, 1L, time);
  return (double)time[0] * 1e3 + (double)time[1] * 1e-6;
}
static int slow(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  for (double end = now() + (double)*(float *)mutable; now() < end;) {}
  return scale(constants, mutable, activations, team);
}
static int fault(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  (void)constants; (void)activations; (void)team;
  return (int)*(float *)mutable;
}
static int together(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  const float *w = (const float *)constants, *x = (const float *)mutable;
  float *y = (float *)(mutable + 64), *t = (float *)activations;
  for (unsigned step = 0; step < 64; step++) {
    if (team->step > step) continue;
    const unsigned long parts = team->parts, from = (16 * team->part + parts - 1) / parts, to = (16 * team->part + 16 + parts - 1) / parts;
    if (team->part > 0) for (int i = 0; i < 64; i++) team->own[i] = (char)step;
    if (step == 0) for (unsigned long i = from; i < to; i++) t[i] = w[15 - i] * x[15 - i];
    /* Turned round once more, by way of the result. */
    else if (step % 2) for (unsigned long i = from; i < to; i++) y[i] = t[15 - i];
    else for (unsigned long i = from; i < to; i++) t[15 - i] = y[i];
    if (team->part > 0) for (int i = 0; i < 64; i++) if (team->own[i] != (char)step) __builtin_trap();
    if (step < 63) team->meet(team, step + 1, 0);
  }
  return 0;
}
${codeHeader}
const struct glowplug_entry glowplug_entries[] = {{scale, 64, 128, 64}, {slow, 64, 128, 64}, {fault, 0, 128, 0}, {fault, 0, 1048576, 0}, {together, 64, 128, 64, 64, 400000}};
const unsigned glowplug_entry_count = 5;
const char glowplug_needs[] = "${needs}";
`

export const entries = { scale: 0, slow: 1, fault: 2, large: 3, together: 4 } as const

/** Compiles an addon and returns its path. */
export async function makeAddon(marker: string, needs = ''): Promise<string> {
  const compiler = await findCompiler(platform)
  const baseline = { ...levels().at(-1)!, flags: [] }
  const { bytes } = await compileAddon(sourceOf(marker, needs), baseline, compiler, sanitizers)
  return writeFile(bytes, 'node')
}

export const weights = Float32Array.from({ length: 16 }, (_, i) => i - 3)
let weightsFile: string | undefined
/** A file of 128 bytes, whose second half are the weights. */
export const weightsPath = (): string => {
  weightsFile ??= writeFile(new Uint8Array(Float32Array.from([...new Array(16).fill(Number.NaN), ...weights]).buffer), 'bin')
  return weightsFile
}

export const openInstance = (addon: Addon, threads?: number): NativeInstance =>
  addon.open(weightsPath(), 128, 64, 64, 64, threads)

/** A region, its input filled with a number, and its output. */
export function makeRegion(addon: Addon, value: number) {
  const { region, start } = regionOf(addon, regions.mutable)
  const input = new Float32Array(16).fill(value)
  new Uint8Array(region, start).set(new Uint8Array(input.buffer))
  return { region, start, output: () => new Float32Array(region.slice(start + 64, start + 128)) }
}

/** The result of a run on the pool. */
export const onPool = (
  addon: Addon,
  instance: NativeInstance,
  entry: number,
  region: ArrayBuffer,
  start: number,
): Promise<number> => new Promise((resolve) => addon.start(instance, entry, region, start, resolve))

export { loadAddon }
