const lanes = 16
const stripe = lanes * 4
/** Bytes that a lane goes over before the next one does, so that they are in the cache. */
const block = 2 ** 14

/**
 * The checksum of weights in 128 hex digits: 16 lanes of 32 bits, each of which takes in every sixteenth word of the bytes, in the order of
 * the machine, which is little-endian. Zeros are thought behind bytes that end within 64. `checksum.c` of the addon computes the same.
 */
export function checksumOf(bytes: Uint8Array): string {
  const state = new Int32Array(lanes)
  const whole = bytes.length - (bytes.length % stripe)
  for (let from = 0; from < whole; from += block) addStripes(state, bytes.subarray(from, Math.min(from + block, whole)))
  if (whole < bytes.length) {
    const last = new Uint8Array(stripe)
    last.set(bytes.subarray(whole))
    addStripes(state, last)
  }
  return Buffer.from(state.buffer).toString('hex')
}

/** Bytes of a number that is a multiple of 64. */
function addStripes(state: Int32Array, bytes: Uint8Array): void {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, bytes.length / 4)
  for (let lane = 0; lane < lanes; lane++) {
    let sum = state[lane]!
    for (let i = lane; i < words.length; i += lanes) {
      const mixed = sum ^ words[i]!
      sum = Math.imul((mixed << 13) | (mixed >>> 19), 0x9e3779b1)
    }
    state[lane] = sum
  }
}
