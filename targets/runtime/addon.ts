// The border between the loader and the C of native addons (targets/native/addon). Addresses never reach JavaScript.

/** Weights mapped read-only and activations of one instance; an opaque handle. One run at a time. */
export type NativeInstance = object & { readonly __brand: 'instance' }

/** What a native addon exports to the loader, in the main thread and in workers. */
export interface Addon {
  /** What this processor lacks to run the code, such as `avx512_bf16`; undefined when it lacks nothing. */
  readonly lacks: string | undefined
  /**
   * Maps `bytes` bytes from `offset` of a file of `fileBytes` bytes, and reserves activations, which the system fills with zeros. Up to
   * `threads` threads run it together, the caller and some of the pool, and no more than there are processors; 1 where not given. Throws
   * errors with a `code` as Node's `fs` has (`ENOENT`, …), with the code `size` and the size found as message, or RangeError without memory.
   */
  open(
    path: string,
    fileBytes: number,
    offset: number,
    bytes: number,
    activations: number,
    threads?: number | undefined,
  ): NativeInstance
  /** Takes bytes, a multiple of 64 of them but for the last time, into a checksum, whose 64 bytes begin as zeros. */
  addToChecksum(state: ArrayBuffer, bytes: Uint8Array): void
  /** Bytes from the start of a buffer to its first multiple of 64, where a region may start. */
  lead(region: ArrayBuffer): number
  /**
   * Runs the entry of that index over inputs and outputs that start at byte `start` of `region`, on the calling thread. Returns 0 or the
   * number of a fault. Entries that touch state take that of a session, which starts at byte `stateStart` of `state`.
   */
  run(
    instance: NativeInstance,
    entry: number,
    region: ArrayBuffer,
    start: number,
    state?: ArrayBuffer | undefined,
    stateStart?: number,
  ): number
  /**
   * The same on the thread pool of the process; `done` is called on this thread later. Neither the region nor the state is to be touched until
   * then. Keeps the process alive meanwhile.
   */
  start(
    instance: NativeInstance,
    entry: number,
    region: ArrayBuffer,
    start: number,
    done: (fault: number) => void,
    state?: ArrayBuffer | undefined,
    stateStart?: number,
  ): void
  /** Frees the instance, once its last run has ended. Calls with a closed instance throw. */
  close(instance: NativeInstance): void
  /**
   * Descriptor of new memory of so many bytes, all zeros, which take memory as they are touched. It is not inherited unless passed on, and
   * nobody can change its size. Throws errors with a `code` as Node's `fs` has; `ENOSYS` where the system knows no such thing.
   */
  share(bytes: number): number
  /**
   * Bytes of a file, as this process sees them from then on, and other processes that map them. `offset` is a multiple of 65536. Throws
   * errors with a `code` as Node's `fs` has (`EACCES`, `EINVAL` beyond its end), or RangeError without memory.
   */
  map(descriptor: number, offset: number, bytes: number, writable: boolean): ArrayBuffer
  /** Empties what was mapped and gives it back; otherwise that happens when it is collected. Refused while an instance runs on it. */
  unmap(memory: ArrayBuffer): void
  /** Has the system kill this process when the thread that started it ends. False where it cannot, or `parent` is no longer its parent. */
  endWithParent(parent: number): boolean
}
