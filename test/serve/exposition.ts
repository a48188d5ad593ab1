// The text format of Prometheus 0.0.4, read as its specification has it, and no more leniently.

export interface ReadFamily {
  readonly type: string
  readonly help: string
  readonly samples: readonly {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

const wrong = (line: string, why: string): never => {
  throw new Error(`${why}: ${JSON.stringify(line)}`)
}

function readLabels(line: string, from: number): readonly [Record<string, string>, number] {
  const labels: Record<string, string> = {}
  let at = from + 1
  while (line[at] !== '}') {
    const name = /^[a-zA-Z_][a-zA-Z0-9_]*(?==")/.exec(line.slice(at))?.[0] ?? wrong(line, `no label at ${at}`)
    at += name.length + 2
    let value = ''
    while (line[at] !== '"') {
      if (at >= line.length) wrong(line, 'a label does not end')
      if (line[at] === '\\') value += { '\\': '\\', '"': '"', n: '\n' }[line[++at]!] ?? wrong(line, 'no escape')
      else value += line[at]
      at++
    }
    if (name in labels) wrong(line, `label ${name} twice`)
    labels[name] = value
    at++
    if (line[at] === ',') at++
    else if (line[at] !== '}') wrong(line, `neither comma nor end at ${at}`)
  }
  return [labels, at + 1]
}

const readNumber = (line: string, text: string): number =>
  text === '+Inf'
    ? Number.POSITIVE_INFINITY
    : text === 'NaN'
      ? Number.NaN
      : /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)
        ? Number(text)
        : wrong(line, `'${text}' is no number`)

/** Families by name. Throws where the text is not of the format: order of lines, names, escapes, series told twice, histograms that do not add up. */
export function readExposition(text: string): ReadonlyMap<string, ReadFamily> {
  if (text !== '' && !text.endsWith('\n')) wrong(text.slice(-40), 'the last line does not end')
  const families = new Map<string, { type: string; help: string; samples: ReadFamily['samples'][number][] }>()
  const series = new Set<string>()
  let name = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const [, help, about] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? []
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line) ?? []
    if (help !== undefined) {
      if (families.has(help)) wrong(line, 'a family twice')
      name = help
      families.set(name, { type: '', help: about!, samples: [] })
    } else if (typed !== undefined) {
      if (typed !== name || families.get(name)!.samples.length > 0) wrong(line, 'a type out of its place')
      families.get(name)!.type = type!
    } else {
      const sample = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? wrong(line, 'no sample')
      const family = families.get(name)
      const suffixes = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!family || !suffixes.some((suffix) => sample === name + suffix)) wrong(line, `not of the family ${name}`)
      const [labels, end] = line[sample.length] === '{' ? readLabels(line, sample.length) : [{}, sample.length]
      if (line[end] !== ' ') wrong(line, 'no value')
      const key = `${sample} ${JSON.stringify(Object.entries(labels).sort())}`
      if (series.has(key)) wrong(line, 'a series twice')
      series.add(key)
      family!.samples.push({ name: sample, labels, value: readNumber(line, line.slice(end + 1)) })
    }
  }
  for (const [name, { type, samples }] of families) if (type === 'histogram') checkHistogram(name, samples)
  return families
}

function checkHistogram(name: string, samples: ReadFamily['samples']): void {
  const groups = new Map<string, { bounds: number[]; counts: number[]; count?: number }>()
  for (const { name: sample, labels, value } of samples) {
    const { le, ...rest } = labels
    const key = JSON.stringify(Object.entries(rest).sort())
    const group = groups.get(key) ?? { bounds: [], counts: [] }
    groups.set(key, group)
    if (sample.endsWith('_bucket')) {
      group.bounds.push(readNumber(name, le ?? wrong(name, 'a class without bound')))
      group.counts.push(value)
    } else if (sample.endsWith('_count')) group.count = value
  }
  for (const { bounds, counts, count } of groups.values()) {
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== count) wrong(name, 'the last class is not all')
    for (let i = 1; i < bounds.length; i++)
      if (bounds[i]! <= bounds[i - 1]! || counts[i]! < counts[i - 1]!) wrong(name, 'classes do not ascend')
  }
}
