/** Labels of a series, in the order in which they are written. */
export type Labels = readonly (readonly [name: string, value: string])[]

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

/** `{a="b",c="d"}`, as the text format wants it; empty where there are none. */
export const labelText = (labels: Labels): string =>
  labels.length === 0
    ? ''
    : `{${labels.map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (found) => escapes[found]!)}"`).join(',')}}`

export const helpText = (text: string): string => text.replace(/[\\\n]/g, (found) => escapes[found]!)

/** Numbers as the text format spells them. */
export const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
