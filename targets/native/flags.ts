/**
 * Flags of every C file. No headers, no C library but what `addon/system.h` declares, nothing that a distribution switches on by itself
 * and that would need a library or change the bytes.
 */
export const commonFlags = [
  '-std=gnu11',
  '-ffreestanding',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-ident',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fno-unwind-tables',
  '-fno-strict-aliasing',
  '-Wall',
  '-Wextra',
]

/** IEEE f32 with contraction. Never fast-math: it breaks the rounding tricks of exp. A model may well compare a value with itself. */
export const kernelFlags = [
  '-O2',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-Wno-unused-function',
  '-Wno-tautological-compare',
  // A division by a constant 0 is compiled with what guards it.
  '-Wno-div-by-zero',
]

export const addonFlags = ['-O2']

/** `nodelete`: threads of the pool run code of an addon after the worker that loaded it has gone. */
export const linkFlags = [
  '-shared',
  '-nostdlib',
  '-Wl,-z,nodelete,-z,noexecstack,-z,relro,-z,now',
  '-Wl,--build-id=none,--hash-style=gnu,-Bsymbolic',
  '-s',
]
