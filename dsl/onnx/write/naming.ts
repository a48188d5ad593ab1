import type { Item, Parameter, Scalar, Template, Value } from './program.ts'
import { camelCase } from './text.ts'
import { resultWord } from './vocabulary.ts'

/** Words for parts of networks that files use and readers know. */
const parts = new Set(
  `layer block stage head branch level cell step group unit expert encoder decoder attention attn mlp lstm gru rnn bottleneck residual
  down up downsample upsample fire inception stem neck backbone classifier regression shortcut transformer tower pyramid dense transition`.split(
    /\s+/,
  ),
)

const singular = (word: string): string => (/[^s]s$/.test(word) && word.length > 3 ? word.slice(0, -1) : word)

/** A word of a path as the name of something: `layers.3` is a layer. */
function partWord(segment: string): string | undefined {
  const word = camelCase(segment.replace(/[\d.]+$/, '').replace(/^[\d._]+/, ''))
  if (word === undefined || word.length < 2) return undefined
  const one = singular(word)
  return parts.has(one.toLowerCase()) || [...parts].some((part) => part.length > 3 && one.toLowerCase().endsWith(part))
    ? one
    : undefined
}

/** Names for a helper, the best first. */
export function helperWords(template: Template, names: ReadonlyMap<Template, string>): string[] {
  const calls = callsIn(template.body)
  const words: string[] = []
  const index = template.parameters.flatMap(({ roles }) => roles).find((role) => role.startsWith('index:'))
  const fromIndex = index === undefined ? undefined : partWord(index.slice(6))
  const fromOrigin = originWord(template.body)
  const content = contentWord(template, calls, names)
  if (calls.length > 5) words.push(...[fromIndex, fromOrigin].filter((word) => word !== undefined))
  words.push(content)
  if (words.length === 1 && fromOrigin && calls.length > 2) words.unshift(fromOrigin)
  return words.flatMap((word) => [word, `${word}Block`])
}

const callsIn = (items: readonly Item[]): string[] =>
  items.flatMap(({ pattern }) => (pattern.template ? callsIn(pattern.template.body) : [pattern.call]))

/** The innermost folder that most nodes of the file stand in, when it is a word for a part of a network. */
function originWord(items: readonly Item[]): string | undefined {
  const counts = new Map<string, number>()
  const origins = items.flatMap((item) => item.origins)
  for (const origin of origins.slice(0, 2000)) {
    const folders = origin.slice(0, 400).split('/').slice(0, -1)
    for (const word of new Set(folders.map(partWord))) if (word) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const common = [...counts].filter(([, count]) => count >= Math.min(origins.length, 2000) * 0.8)
  return common.at(-1)?.[0]
}

function contentWord(template: Template, calls: readonly string[], names: ReadonlyMap<Template, string>): string {
  const count = (...wanted: readonly string[]) => calls.filter((call) => wanted.includes(call)).length
  const convolutions = count('conv1d', 'conv2d', 'conv3d')
  const norms = count('batchNorm', 'layerNorm', 'rmsNorm', 'groupNorm', 'instanceNorm')
  const products = count('matmul', 'linear')
  const [last] = calls.slice(-1)
  if (count('lstm') > 0) return 'lstmLayer'
  if (count('gru') > 0) return 'gruLayer'
  if (count('softmax') > 0 && products >= 2) return products > 4 && norms > 1 ? 'layer' : 'attention'
  if (count('sigmoid') >= 2 && count('tanh') > 0 && count('mul') > 1) return 'cell'
  if (convolutions >= 2) {
    if (count('add') > 0 && calls.slice(-2).includes('add')) return 'residual'
    if (count('concat') > 0) return 'branches'
    if (convolutions === 2 && hasGroups(template)) return 'separable'
    return 'block'
  }
  if (convolutions === 1) return calls.length > 4 ? 'block' : norms > 0 ? 'normalised' : 'convolution'
  if (products >= 2) return count('gelu', 'silu', 'relu') > 0 ? 'feedForward' : 'projections'
  if (products === 1 && count('reshape') > 0 && count('transpose') > 0) return 'heads'
  if (products === 1) return calls.length > 3 ? 'projection' : 'dense'
  if (count('mean') > 0 && count('sqrt', 'rsqrt') > 0) return 'normalised'
  if (calls.length > 6) return 'block'
  const [first] = template.body
  const inner = first?.pattern.template && names.get(first.pattern.template)
  return inner ? `${inner}Block` : last ? resultWord(last) : 'block'
}

const hasGroups = (template: Template): boolean =>
  template.body.some(({ pattern, scalars }) => {
    const roles = pattern.template
      ? pattern.template.parameters.map((parameter) => parameter.roles)
      : pattern.roles.map((role) => [role])
    return roles.some((own, i) => own.includes('groups') && scalars[i]?.key !== '1')
  })

/** Names for a tensor that a helper is given. */
export function operandWords({ body }: Template, value: Value, index: number): string[] {
  if (index === 0 && value.dtype !== 'bool') return value.dtype.startsWith('i') ? ['indices', 'x'] : ['x']
  for (const item of body) {
    const { pattern, values } = item
    const place = values.indexOf(value)
    if (place < 0) continue
    if (pattern.call === 'where' && place === 0) return ['mask', 'condition']
    if (pattern.call === 'gather' || pattern.call === 'embedding') return place === 0 ? ['table'] : ['indices']
    const [result] = item.results
    if (pattern.call === 'add' && body.some((next) => next.pattern.call === 'softmax' && next.values[0] === result))
      return ['mask']
    if (pattern.call === 'lstm' || pattern.call === 'gru') return ['state', 'other']
  }
  if (value.dtype === 'bool') return ['mask']
  return ['y', 'z', 'other']
}

/** Names for a number or a name that a helper is given. */
export function parameterWords({ kind, roles }: Parameter, texts: number): string[] {
  const index = roles.find((role) => role.startsWith('index:'))
  if (index !== undefined) return [partWord(index.slice(6)) ?? 'index', 'index']
  if (kind === 'text') {
    const words = [...new Set(roles.map((role) => role.replace(/^name:/, '')))]
    return texts > 1 && words.length === 1 ? [words[0]!, 'name'] : ['name']
  }
  const plain = roles.filter((role) => !role.startsWith('name:'))
  if (plain.includes('to') && (plain.includes('from') || plain.includes('groups'))) return ['channels']
  return [plain[0] ?? 'value']
}

/** Weights that say nothing by their name. */
const dull = new Set(
  `weight bias kernel conv conv1d conv2d bn norm matmul onnx gamma beta linear w b r read variable op resource add mul relu layer block
  features feature module model param parameter initializer const constant value tensor`.split(/\s+/),
)

/** Functions that are known by their weights. */
const namedByWeights = /^(?:conv|linear$|matmul$|embedding$|\w+Norm$)/

/** A name for a result: after the weights it is made with, or what the call makes. */
export function resultWords(item: Item, part: number): string[] {
  const { pattern } = item
  if (pattern.template) {
    const result = pattern.template.results[part]
    const from = pattern.template.body.find(({ results }) => result && results.includes(result))
    return from ? resultWords(from, from.results.indexOf(result!)) : ['y']
  }
  if (Array.isArray(pattern.returns)) return [pattern.returns[part]!, 'y']
  const word = namedByWeights.test(pattern.call) ? item.scalars.flatMap((scalar) => weightWord(scalar) ?? [])[0] : undefined
  return [...(word ? [word] : []), resultWord(pattern.call), 'y', 'z']
}

function weightWord(scalar: Scalar): string | undefined {
  if (scalar.kind !== 'text') return undefined
  const tail = scalar.parts.at(-1)
  if (typeof tail !== 'string') return undefined
  const segments = tail.slice(-120).split(/[./:]/).slice(0, -1)
  const word = camelCase((segments.at(-1) ?? '').replace(/[\d_]+$/, ''))
  return word && word.length > 2 && !dull.has(word.toLowerCase()) && !/^\d/.test(word) ? word : undefined
}
