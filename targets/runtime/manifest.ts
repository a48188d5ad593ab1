/** What a bundle's manifest says. Written at build, checked by the loader. A change of meaning raises `format`. */
export const manifestFormat = 3

export interface TensorSignature {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** What its integers stand for, where that is not themselves: (q − zeroPoint) · scale, for the whole tensor or each index of an axis. Told by `info`; the loader computes nothing with it. */
  readonly quantization?: { readonly scale: readonly number[]; readonly zeroPoint: readonly number[]; readonly axis?: number }
}

/** A content-addressed file of the bundle; `digest` is `sha256-` and 64 hex digits. */
export interface FileEntry {
  readonly file: string
  readonly bytes: number
  readonly digest: string
}

/** What a machine must be to run code made for it alone: `process.platform`, `process.arch`, and `glibc` or `musl`. */
export interface Platform {
  readonly os: string
  readonly arch: string
  readonly libc: string
}

/** One way to run the model: code and weights of a target at a level, and for each entry where its tensors lie. */
export interface CodeEntry extends FileEntry {
  readonly target: string
  readonly kind: 'wasm' | 'module' | 'addon'
  readonly level: string
  /** Present on addons. Codes of one target stand together, the most demanding level first. */
  readonly platform?: Platform
  /**
   * Where this code's constants start in the weights file, 4096-aligned, how many bytes they are, their digest, and the 128 hex digits of
   * their checksum, which shows damage as surely and takes a fifth of the time.
   */
  readonly weights: { readonly offset: number; readonly bytes: number; readonly digest: string; readonly checksum: string }
  readonly entries: readonly EntryPoint[]
}

export interface EntryPoint {
  readonly name: string
  /**
   * Exported function `(constants, mutable, activations) → code`, where 0 is success and n > 0 is `faults[n − 1]`. Where the manifest has
   * `state`, it is `(constants, mutable, activations, state) → code`, for every entry.
   */
  readonly export: string
  readonly regions: {
    readonly constants: number
    readonly mutable: number
    readonly activations: number
    /** As `state.bytes` of the manifest, where it has it. */
    readonly state?: number
    readonly lowerBound: number
  }
  /** Byte offsets in the mutable region, in the order of the signature. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  /** What went wrong, for each code the function may return. */
  readonly faults: readonly string[]
  /** How many of the first faults come before anything of a state is written: a session goes on after them as if nothing had run. 0 where absent. */
  readonly keeps?: number
  /** Present where the code was built for traces. Told by `glowplug/serve` alone. */
  readonly times?: Times
}

/**
 * Where in the mutable region times of steps are told, as 64-bit integers: how many follow, 0 where the run did not come to its end; then nanoseconds of the beginning and of
 * the end of each step.
 */
export interface Times {
  readonly offset: number
  /** Names, and lines of the model; empty where a step comes from none. */
  readonly steps: readonly { readonly name: string; readonly at: string }[]
}

/** How much of a dimension a request fills, where it gives dimension `dim` the size n: ⌊(n · times + plus) / over⌋. */
export interface Extent {
  readonly dim: string
  readonly times: number
  readonly plus: number
  readonly over: number
}

export interface BucketedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly (number | Extent)[]
}

/** One entry to callers that is several entries of the manifest, one for each combination of the sizes of its dimensions. */
export interface BucketedEntry {
  readonly name: string
  /** Sizes ascend; `least` is the smallest that callers may pass. */
  readonly dims: readonly { readonly name: string; readonly sizes: readonly number[]; readonly least: number }[]
  /** Names of entries; those of the last dimension's sizes change fastest. An input `<dim>.size` of theirs is for the size of the request. */
  readonly entries: readonly string[]
  readonly inputs: readonly BucketedTensor[]
  readonly outputs: readonly BucketedTensor[]
}

/**
 * The region of what a session carries from one run to the next: one for each session, laid out alike for all codes and entries. An entry
 * reads it and renews it where it lies.
 */
export interface StateRegion {
  readonly bytes: number
  readonly tensors: readonly StateTensor[]
}

export interface StateTensor extends TensorSignature {
  /** In the region, a multiple of 64. */
  readonly offset: number
  /** The part of the weights file that a session begins with; zeros where absent. */
  readonly initial?: { readonly offset: number; readonly bytes: number; readonly digest: string }
}

/** What an entry does to states, as indices into `state.tensors`. */
export interface StateUse {
  readonly reads: readonly number[]
  readonly renews: readonly number[]
}

export interface Manifest {
  readonly format: number
  readonly glowplug: string
  readonly model: string
  readonly toolchain: Readonly<Record<string, string>>
  /** What callers see, the same for every target. A model with one `forward` has the one entry `main`. */
  readonly entries: readonly {
    readonly name: string
    readonly inputs: readonly TensorSignature[]
    readonly outputs: readonly TensorSignature[]
    /** Present where the entry reads or renews states: it then runs in sessions alone. */
    readonly state?: StateUse
  }[]
  /** Present where a session carries something. */
  readonly state?: StateRegion
  /** Absent where callers see the entries as they are. */
  readonly buckets?: readonly BucketedEntry[]
  readonly weights: FileEntry
  readonly codes: readonly CodeEntry[]
}
