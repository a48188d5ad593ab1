/** Text that breaks over lines where it must, laid out as the formatter of this repository lays it out (Wadler's printer with hugged last arguments). */
export type Doc =
  | string
  | { readonly kind: 'join'; readonly parts: readonly Doc[] }
  /** A space, nothing, or a new line: the first two where the group fits on its line. */
  | { readonly kind: 'line'; readonly flat: string }
  | { readonly kind: 'hardLine' }
  | { readonly kind: 'indent'; readonly content: Doc }
  | { readonly kind: 'group'; readonly content: Doc; readonly flatWidth: number }
  /** The first that fits in its first line, each printed with its groups broken as they are; the last otherwise. */
  | { readonly kind: 'choice'; readonly options: readonly Doc[]; readonly flatWidth: number }
  /** Items with separators, as many on each line as fit. */
  | { readonly kind: 'fill'; readonly items: readonly Doc[] }
  /** Printed only where the group around it is broken. */
  | { readonly kind: 'whenBroken'; readonly text: string }
  /** Broken whatever fits. */
  | { readonly kind: 'broken'; readonly content: Doc }

const lineWidth = 130

export const join = (...parts: readonly Doc[]): Doc => ({ kind: 'join', parts })
export const indent = (content: Doc): Doc => ({ kind: 'indent', content })
export const softLine: Doc = { kind: 'line', flat: '' }
export const line: Doc = { kind: 'line', flat: ' ' }
export const hardLine: Doc = { kind: 'hardLine' }
export const whenBroken = (text: string): Doc => ({ kind: 'whenBroken', text })
export const broken = (content: Doc): Doc => ({ kind: 'broken', content })
export const fill = (items: readonly Doc[]): Doc => ({ kind: 'fill', items })
export const group = (content: Doc): Doc => ({ kind: 'group', content, flatWidth: widthOf(content) })
export const choice = (...options: readonly Doc[]): Doc => ({ kind: 'choice', options, flatWidth: widthOf(options[0]!) })
export const separated = (items: readonly Doc[], separator: Doc): Doc => ({
  kind: 'join',
  parts: items.flatMap((item, i) => (i === 0 ? [item] : [separator, item])),
})
export const lines = (items: readonly Doc[]): Doc => separated(items, hardLine)

/** Characters on one line; infinite where there is a line that must break. */
export function widthOf(doc: Doc): number {
  if (typeof doc === 'string') return doc.length
  switch (doc.kind) {
    case 'join':
      return doc.parts.reduce((sum, part) => sum + widthOf(part), 0)
    case 'line':
      return doc.flat.length
    case 'hardLine':
    case 'broken':
      return Number.POSITIVE_INFINITY
    case 'indent':
      return widthOf(doc.content)
    case 'group':
    case 'choice':
      return doc.flatWidth
    case 'fill':
      return doc.items.reduce<number>((sum, item) => sum + widthOf(item) + 2, -2)
    case 'whenBroken':
      return 0
  }
}

interface Frame {
  readonly indentation: number
  readonly isBroken: boolean
  readonly doc: Doc
}

/** The text, without a line end behind it. */
export function layout(doc: Doc): string {
  const out: string[] = []
  let column = 0
  const stack: Frame[] = [{ indentation: 0, isBroken: true, doc }]

  const write = (text: string) => {
    out.push(text)
    column += text.length
  }
  const newLine = (indentation: number) => {
    while (out.length > 0 && /^ *$/.test(out.at(-1)!)) out.pop()
    out.push('\n', ' '.repeat(indentation))
    column = indentation
  }

  /** Width of what follows on the same line behind the frame on top: up to the first line that may break. */
  const rest = (): number => {
    let width = 0
    for (let i = stack.length - 1; i >= 0; i--) {
      const { doc: next, isBroken } = stack[i]!
      const { width: added, ends } = upToLine(next, isBroken)
      width += added
      if (ends) return width
    }
    return width
  }

  for (let frame = stack.pop(); frame; frame = stack.pop()) {
    const { indentation, isBroken, doc: current } = frame
    const push = (next: Doc, within = indentation, breaks = isBroken) =>
      stack.push({ indentation: within, isBroken: breaks, doc: next })
    if (typeof current === 'string') {
      write(current)
      continue
    }
    switch (current.kind) {
      case 'join':
        for (let i = current.parts.length - 1; i >= 0; i--) push(current.parts[i]!)
        break
      case 'line':
        if (isBroken) newLine(indentation)
        else write(current.flat)
        break
      case 'hardLine':
        newLine(indentation)
        break
      case 'indent':
        push(current.content, indentation + 2)
        break
      case 'group':
        push(current.content, indentation, column + current.flatWidth + rest() > lineWidth)
        break
      case 'broken':
        push(current.content, indentation, true)
        break
      case 'choice': {
        const behind = rest()
        const last = current.options.length - 1
        const chosen =
          column + current.flatWidth + behind <= lineWidth
            ? 0
            : current.options.findIndex(
                (option, i) => i === last || (i > 0 && column + upToLine(option, true).width <= lineWidth),
              )
        push(current.options[chosen]!, indentation, chosen > 0)
        break
      }
      case 'fill': {
        const parts: Doc[] = []
        let at = column
        for (const [i, item] of current.items.entries()) {
          const width = widthOf(item) + 1
          if (i > 0) {
            const fits = at + 1 + width <= lineWidth
            parts.push(fits ? ', ' : ',', ...(fits ? [] : [hardLine]))
            at = fits ? at + 1 + width : indentation + width
          } else at += width
          parts.push(item)
        }
        for (let i = parts.length - 1; i >= 0; i--) push(parts[i]!)
        break
      }
      case 'whenBroken':
        if (isBroken) write(current.text)
        break
    }
  }
  return out.join('')
}

/** Width up to the first line that breaks, or may break; `ends` when there is one. */
function upToLine(doc: Doc, isBroken: boolean): { readonly width: number; readonly ends: boolean } {
  if (typeof doc === 'string') return { width: doc.length, ends: false }
  switch (doc.kind) {
    case 'join': {
      let width = 0
      for (const part of doc.parts) {
        const inner = upToLine(part, isBroken)
        width += inner.width
        if (inner.ends) return { width, ends: true }
      }
      return { width, ends: false }
    }
    case 'line':
      return isBroken ? { width: 0, ends: true } : { width: doc.flat.length, ends: false }
    case 'hardLine':
      return { width: 0, ends: true }
    case 'indent':
      return upToLine(doc.content, isBroken)
    case 'broken':
      return upToLine(doc.content, true)
    case 'group':
      return doc.flatWidth === Number.POSITIVE_INFINITY ? upToLine(doc.content, true) : { width: doc.flatWidth, ends: false }
    case 'choice':
      return doc.flatWidth === Number.POSITIVE_INFINITY
        ? upToLine(doc.options.at(-1)!, true)
        : { width: doc.flatWidth, ends: false }
    case 'fill':
      return { width: widthOf(doc), ends: false }
    case 'whenBroken':
      return { width: isBroken ? doc.text.length : 0, ends: false }
  }
}
