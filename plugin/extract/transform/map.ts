/** One piece of the output: new text, or a range of the source kept as it is. */
export type Piece = { readonly text: string; readonly at?: number } | { readonly start: number; readonly end: number }

export interface SourceMap {
  readonly version: 3
  readonly sources: readonly string[]
  readonly sourcesContent: readonly string[]
  readonly names: readonly string[]
  readonly mappings: string
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Base 64 with continuation bits, the sign in the lowest. */
export function encodeVlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1
  let text = ''
  do {
    const digit = rest & 31
    rest >>>= 5
    text += digits[rest > 0 ? digit | 32 : digit]
  } while (rest > 0)
  return text
}

/** Segments of a map line by line: column, line and column in the source. */
function decode({ mappings }: SourceMap): (readonly [column: number, line: number, sourceColumn: number])[][] {
  let line = 0
  let sourceColumn = 0
  return mappings.split(';').map((text) => {
    let column = 0
    const segments: [number, number, number][] = []
    for (const segment of text.split(',')) {
      const [columns = 0, , lines, sourceColumns = 0] = decodeVlq(segment)
      column += columns
      if (lines === undefined) continue
      line += lines
      sourceColumn += sourceColumns
      segments.push([column, line, sourceColumn])
    }
    return segments
  })
}

function decodeVlq(text: string): number[] {
  const values: number[] = []
  let value = 0
  let shift = 0
  for (const character of text) {
    const digit = digits.indexOf(character)
    value |= (digit & 31) << shift
    shift += 5
    if (digit & 32) continue
    values.push(value & 1 ? -(value >>> 1) : value >>> 1)
    value = 0
    shift = 0
  }
  return values
}

/** The map of two steps in a row: `second` maps to the text that `first` maps to its one source. */
export function chainMaps(second: SourceMap, first: SourceMap): SourceMap {
  const known = decode(first)
  let last = { line: 0, sourceColumn: 0 }
  const lines = decode(second).map((segments) => {
    let lastColumn = 0
    return segments
      .flatMap(([column, line, middle]) => {
        const found = known[line]?.findLast((segment) => segment[0] <= middle)
        if (!found) return []
        const fields = [column - lastColumn, 0, found[1] - last.line, found[2] - last.sourceColumn]
        lastColumn = column
        last = { line: found[1], sourceColumn: found[2] }
        return [fields.map(encodeVlq).join('')]
      })
      .join(',')
  })
  return { ...first, mappings: lines.join(';') }
}

/**
 * Puts pieces together and maps the result: kept text to where it stood, line by line and word by word; new text to `at`, where it
 * stands for something of the source.
 */
export function compose(source: string, file: string, pieces: readonly Piece[]): { code: string; map: SourceMap } {
  const lineStarts = [0]
  for (let i = 0; i < source.length; i++) if (source[i] === '\n') lineStarts.push(i + 1)
  const lines: string[][] = [[]]
  let code = ''
  let column = 0
  let last = { column: 0, line: 0, sourceColumn: 0 }

  function segment(offset: number): void {
    const line = lineOf(lineStarts, offset)
    const sourceColumn = offset - lineStarts[line]!
    const fields = [column - last.column, 0, line - last.line, sourceColumn - last.sourceColumn]
    lines.at(-1)!.push(fields.map(encodeVlq).join(''))
    last = { column, line, sourceColumn }
  }

  function append(text: string): void {
    code += text
    const breaks = text.split('\n')
    for (let i = 1; i < breaks.length; i++) {
      lines.push([])
      last = { ...last, column: 0 }
    }
    column = breaks.length > 1 ? breaks.at(-1)!.length : column + text.length
  }

  for (const piece of pieces) {
    if ('text' in piece) {
      if (piece.at !== undefined && piece.text !== '') segment(piece.at)
      append(piece.text)
      continue
    }
    let offset = piece.start
    for (const word of source.slice(piece.start, piece.end).match(/\w+|\n|[^\w\n]+/g) ?? []) {
      if (word !== '\n') segment(offset)
      append(word)
      offset += word.length
    }
  }
  const mappings = lines.map((segments) => segments.join(',')).join(';')
  return { code, map: { version: 3, sources: [file], sourcesContent: [source], names: [], mappings } }
}

function lineOf(lineStarts: readonly number[], offset: number): number {
  let low = 0
  let high = lineStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (lineStarts[middle]! <= offset) low = middle
    else high = middle - 1
  }
  return low
}
