import { resolve } from 'node:path'
import { serialize } from 'node:v8'
import type { CardPart } from '../card.ts'
import { channels, frameBytes, kinds, mark, type Setup, type SetupProgram } from './frames.ts'
import type { CardRegions } from './regionsOfCard.ts'

const programsOf = ({ options }: CardRegions): SetupProgram[] =>
  options.programs.map(({ id, placed, state }) => {
    const places = (tensors: SetupProgram['inputs']) => tensors.map(({ offset, bytes }) => ({ offset, bytes }))
    return {
      ...{ id, placed: { regions: placed.regions }, hasState: state !== undefined },
      ...{ inputs: places(placed.inputs), outputs: places(placed.outputs) },
    }
  })

/** Paths as they are now, for processes that start when the host may have gone to another folder. */
export function filesOf({ located, loaded }: CardPart): ReadonlyMap<string, string | Uint8Array> {
  const { manifest, place } = located
  const names = [loaded.chosen.file, manifest.weights.file]
  return new Map(
    names.map((name) => {
      const found = place(name)
      return [name, typeof found === 'string' ? resolve(found) : found]
    }),
  )
}

/** The first frame for a card: all that it is to know. `descriptors` are of memory, its own first. */
export function setupFrame(
  own: CardRegions,
  peers: readonly CardRegions[],
  files: readonly ReadonlyMap<string, string | Uint8Array>[],
): { readonly frame: Uint8Array; readonly descriptors: readonly number[] } {
  const { index, name, parts, programs, slots, threads, verify } = own.options
  const shared = own.memory().descriptors
  const reached = shared ? peers.filter((peer) => peer.memory().descriptors) : []
  const setup: Setup = {
    parent: process.pid,
    title: `glowplug ${parts[0]?.located.manifest.model} ${name}`,
    card: index,
    slots,
    verify,
    parts: parts.map(({ index, located, loaded, threads: own = threads }, place) => ({
      index,
      threads: own,
      manifest: { ...located.manifest, codes: [loaded.chosen] },
      files: files[place]!,
    })),
    entries: programs.map(({ part, entry }) => ({ part: parts.findIndex(({ index }) => index === part), entry })),
    cards: [own, ...reached].map((card, place) => ({
      index: card.options.index,
      programs: programsOf(card),
      descriptor: shared && channels.memory + place,
    })),
  }
  const content = serialize(setup)
  const frame = Buffer.alloc(frameBytes + content.length)
  frame.writeUInt32LE(mark, 0)
  frame.writeUInt32LE(kinds.setup, 4)
  frame.writeUInt32LE(content.length, 24)
  frame.set(content, frameBytes)
  return { frame, descriptors: shared ? [shared.own, ...reached.map((peer) => peer.memory().descriptors!.others)] : [] }
}
