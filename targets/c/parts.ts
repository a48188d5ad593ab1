import type { Lines } from './text.ts'

/** A C compiler takes about two seconds for a megabyte of kernels: what several can do at once is worth another process from here on. */
const bytesPerPart = 150_000
const mostParts = 8

/** Stands before kernels that several translation units share. */
const partsText = `/* Each kernel belongs to a part: compilers may work on several at once, each on this file with its own GLOWPLUG_PART, or on all without. */
#ifdef GLOWPLUG_PART
#undef KERNEL
#define KERNEL __attribute__((noinline))
#define PART(n) (GLOWPLUG_PART == n)
#else
#define PART(n) 1
#endif`

const sizeOf = (lines: Lines): number => lines.reduce((sum, line) => sum + line.length + 1, 0)

/** A function as other parts know it. */
function declarationOf(lines: Lines): string {
  const head = lines.find((line) => line.startsWith('KERNEL '))!
  return head.slice('KERNEL '.length).replace(/ \{$/, ';')
}

export interface Parts {
  /** Stands before all kernels. */
  readonly before: Lines
  readonly kernels: Lines
  /** What is compiled once, with the first part. */
  first(lines: Lines): Lines
}

/** Kernels, one function each, in one file as it is. */
export const onePart = (functions: readonly Lines[]): Parts => ({
  before: [],
  kernels: functions.flatMap((lines) => ['', ...lines]),
  first: (lines) => lines,
})

export const firstPart = (lines: Lines): Lines => ['', '#if PART(0)', ...lines, '#endif']

/** Kernels as parts of about the same length, where there is enough for two. */
export function intoParts(functions: readonly Lines[]): Parts {
  const sizes = functions.map(sizeOf)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const count = Math.min(mostParts, Math.floor(total / bytesPerPart))
  if (count <= 1) return onePart(functions)
  let behind = 0
  const kernels = functions.flatMap((lines, i) => {
    // By where its middle lies.
    const part = Math.floor(((behind + sizes[i]! / 2) / total) * count)
    behind += sizes[i]!
    return ['', `#if PART(${part})`, ...lines, '#else', declarationOf(lines), '#endif']
  })
  return { before: [partsText], kernels, first: firstPart }
}

/** Into how many parts a file can be taken. */
export const countParts = (text: string): number =>
  1 + [...text.matchAll(/^#if PART\((\d+)\)$/gm)].reduce((most, [, part]) => Math.max(most, Number(part)), 0)
