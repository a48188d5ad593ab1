import { frameBytes, mark } from './frames.ts'

/** A frame of a card, valid until the next one. */
export interface Frame {
  kind: number
  id: number
  fault: number
  bytes: number
}

/**
 * Reads what a card sends, in whatever pieces. `accept` gets each header and returns where the payload goes, exactly as many bytes; it
 * throws where the card may not say so. `ended` follows when the payload is there.
 */
export function createReader(
  accept: (frame: Frame) => readonly Uint8Array[],
  ended: (frame: Frame, payload: readonly Uint8Array[]) => void,
): (chunk: Uint8Array) => void {
  const header = Buffer.alloc(frameBytes)
  const frame: Frame = { kind: 0, id: 0, fault: 0, bytes: 0 }
  let filled = 0
  let payload: readonly Uint8Array[] = []
  let part = 0
  let done = 0

  return (chunk) => {
    let at = 0
    while (at < chunk.length) {
      if (filled < frameBytes) {
        const end = Math.min(chunk.length, at + frameBytes - filled)
        header.set(chunk.subarray(at, end), filled)
        filled += end - at
        at = end
        if (filled < frameBytes) return
        if (header.readUInt32LE(0) !== mark) throw Error('it sent what is no frame')
        frame.kind = header.readUInt32LE(4)
        frame.id = header.readUInt32LE(8)
        frame.fault = header.readUInt32LE(12)
        frame.bytes = header.readUInt32LE(24)
        payload = accept(frame)
        part = done = 0
      }
      for (;;) {
        const target = payload[part]
        if (!target) {
          filled = 0
          ended(frame, payload)
          break
        }
        const count = Math.min(chunk.length - at, target.length - done)
        target.set(chunk.subarray(at, at + count), done)
        at += count
        done += count
        if (done < target.length) return
        part++
        done = 0
      }
    }
  }
}
