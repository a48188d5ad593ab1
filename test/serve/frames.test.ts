// What process cards are made of, without a process.
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { frameBytes, mark } from '../../targets/runtime/serve/process/frames.ts'
import { layOut, windowBytes } from '../../targets/runtime/serve/process/layout.ts'
import { createReader, type Frame } from '../../targets/runtime/serve/process/reader.ts'
import { fileBytes } from '../../targets/runtime/serve/process/regions.ts'
import { createRestart, restartDelays } from '../../targets/runtime/serve/restart.ts'
import { draw } from '../support/draw.ts'
import { codeOf } from './support.ts'

const frameOf = (kind: number, id: number, fault: number, payload: Uint8Array): Buffer => {
  const frame = Buffer.alloc(frameBytes + payload.length)
  ;[mark, kind, id, fault, 0, 0, payload.length, 0].forEach((word, i) => {
    frame.writeUInt32LE(word, i * 4)
  })
  frame.set(payload, frameBytes)
  return frame
}

/** What a reader makes of chunks: frames with their payloads, taken in pieces as `cut` says. */
function readAll(chunks: readonly Uint8Array[], cut: (bytes: number) => readonly number[]) {
  const seen: { readonly frame: Frame; readonly payload: string }[] = []
  const read = createReader(
    ({ bytes }) => cut(bytes).map((size) => new Uint8Array(size)),
    (frame, payload) => seen.push({ frame: { ...frame }, payload: Buffer.concat(payload).toString('hex') }),
  )
  for (const chunk of chunks) read(chunk)
  return seen
}

test('frames are the same in whatever pieces they come, and wherever their payload goes', () => {
  const word = fc.nat(2 ** 32 - 1)
  const frames = fc.array(fc.tuple(word, word, word, fc.uint8Array({ maxLength: 100 })), { maxLength: 8 })
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 40 }), fc.nat(100), (list, sizes, split) => {
      const all = Buffer.concat(list.map(([kind, id, fault, payload]) => frameOf(kind, id, fault, payload)))
      const chunks: Uint8Array[] = []
      for (let at = 0, i = 0; at < all.length; i++) {
        const end = Math.min(all.length, at + (sizes[i] ?? all.length))
        chunks.push(all.subarray(at, end))
        at = end
      }
      const cut = (bytes: number) => [Math.min(split, bytes), 0, bytes - Math.min(split, bytes)]
      assert.equal(
        readAll(chunks, cut),
        list.map(([kind, id, fault, payload]) => ({
          frame: { kind, id, fault, bytes: payload.length },
          payload: Buffer.from(payload).toString('hex'),
        })),
      )
    }),
    draw(71, 200),
  )
})

test('bytes that are no frame are an error at the first word, and no more than a payload is ever kept', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: frameBytes, maxLength: 300 }), (bytes) => {
      fc.pre(Buffer.from(bytes).readUInt32LE(0) !== mark)
      assert.throws(() => readAll([bytes], () => []), /no frame/)
    }),
    draw(72, 200),
  )
  const refuse = createReader(
    () => {
      throw new Error('refused')
    },
    () => assert.unreachable(),
  )
  assert.throws(() => refuse(frameOf(1, 0, 0, new Uint8Array(4))), /refused/)
})

test('regions lie apart, aligned, inside windows that a file holds, and are found by program and slot (RT-10)', () => {
  const size = fc.oneof(fc.nat(300), fc.nat(windowBytes))
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 5 }), (sizes, slots) => {
      const programs = sizes.map((mutable, i) => ({ id: 2 * i + 1, placed: { regions: { mutable } as never } }))
      const layout = layOut(programs, slots)
      const places = programs.flatMap(({ id }, i) =>
        Array.from({ length: slots }, (_, slot) => {
          const region = layout.regionOf(id, slot)
          const from = layout.window[region]! * windowBytes + layout.start[region]!
          assert.is(layout.start[region]! % 64, 0)
          assert.ok(layout.start[region]! + sizes[i]! <= layout.windows[layout.window[region]!]!)
          return { region, from, to: from + Math.max(1, sizes[i]!) }
        }),
      )
      assert.is(new Set(places.map(({ region }) => region)).size, places.length)
      const sorted = places.toSorted((a, b) => a.from - b.from)
      for (const [i, { from }] of sorted.entries()) assert.ok(i === 0 || sorted[i - 1]!.to <= from)
      assert.ok(sorted.at(-1)!.to <= fileBytes(layout))
      for (const bytes of layout.windows) assert.ok(bytes <= windowBytes)
      for (const [program, slot] of [
        [0, 0],
        [1, slots],
        [1, -1],
        [1, Number.NaN],
        [99, 0],
      ] as const)
        assert.is(layout.regionOf(program, slot), -1)
    }),
    draw(73, 200),
  )
})

test('a request larger than a window is out-of-memory', async () => {
  const programs = [{ id: 0, placed: { regions: { mutable: windowBytes + 1 } as never } }]
  assert.is(await codeOf(() => layOut(programs, 1)), 'out-of-memory')
})

/** Milliseconds of the timers that `body` starts, none of which rings. */
function delaysOf(body: () => void): number[] {
  const delays: number[] = []
  const { setTimeout } = globalThis
  globalThis.setTimeout = ((call: () => void, delay: number) => {
    delays.push(delay)
    return setTimeout(call, 2 ** 30)
  }) as typeof setTimeout
  try {
    body()
  } finally {
    globalThis.setTimeout = setTimeout
  }
  return delays
}

test('what dies again soon waits longer, up to a limit, and after a while of health no longer', () => {
  let now = 0
  const restart = createRestart(() => now)
  const dies = (after: number) => {
    restart.stood()
    now += after
    assert.is(restart.schedule(assert.unreachable), true)
  }
  const { first, most, healthy } = restartDelays
  assert.equal(
    delaysOf(() => {
      for (let i = 0; i < 8; i++) dies(healthy - 1)
      dies(healthy)
      dies(0)
    }),
    [100, 200, 400, 800, 1600, 3200, 5000, 5000, 100, 200],
  )
  assert.equal([first, most, healthy], [100, 5000, 30_000])
  restart.cancel()
})

test('what never stands again is given up', () => {
  const restart = createRestart(() => 0)
  restart.stood()
  const delays = delaysOf(() => {
    for (let i = 0; i < 8; i++) assert.is(restart.schedule(assert.unreachable), true)
    assert.is(restart.schedule(assert.unreachable), false)
  })
  assert.equal(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000])
  restart.cancel()
})

test.run()
