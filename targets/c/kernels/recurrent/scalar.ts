import { elementCount } from '../../../../compiler/graph/type.ts'
import { floatText, fromDouble, loadText, storeText } from '../../scalar.ts'
import { block, type Lines, loop } from '../../text.ts'
import type { AnchoredKernel } from '../template.ts'
import { functionsOf } from './functions.ts'
import { attributesOf, type Setting } from './setting.ts'

/** Bytes of what a sequence has of doubles: hidden state, the next one, cell, and what a GRU keeps between its gates. */
export const scalarScratch = ({ hidden }: Setting): number => 8 * 5 * hidden

/** In double, for element types without vectors: sequence after sequence, whose states are rounded where they are stored. */
export function scalarBody(kernel: AnchoredKernel, setting: Setting): Lines {
  const { kind, gates, states, length, batch, directions, hidden, lengths, extra } = setting
  const { dtype, shape } = kernel.anchor.type
  const attributes = attributesOf(kernel)
  const { reverse, clip, coupled, linearBeforeReset } = attributes
  const functions = functionsOf(attributes, 'double')
  const size = elementCount(shape.slice(1))
  const at = (operand: number, index: string) => `(f64)${loadText(dtype, `x${operand}[${index}]`)}`
  const store = (index: string, value: string) => `out[${index}] = ${storeText(dtype, fromDouble(dtype, value))};`
  const each = (body: Lines) => loop('j', 0, hidden, 1, body)
  const limit = floatText(clip, true)
  const open = (name: string, i: number, sum: string): Lines => [
    `f64 ${name}_sum = ${sum};`,
    ...(clip > 0 ? [`${name}_sum = ${name}_sum < -${limit} ? -${limit} : ${name}_sum > ${limit} ? ${limit} : ${name}_sum;`] : []),
    `const f64 ${name} = ${functions[i]!(`${name}_sum`)};`,
  ]
  const brought = (gate: number) => at(0, `place + ${gate * hidden} + j`)
  const product = (name: string, gate: number, by: string): Lines => [
    `f64 ${name} = 0.0;`,
    ...loop('k', 0, hidden, 1, [`${name} += ${at(1, `((d * ${gates} + ${gate}) * ${hidden} + j) * ${hidden} + k`)} * ${by}[k];`]),
  ]
  const peep = (k: number, seen: string) => (extra ? ` + ${at(4, `d * ${3 * hidden} + ${k * hidden} + j`)} * ${seen}` : '')
  const besides = extra ? ` + ${at(4, `d * ${hidden} + j`)}` : ''
  const cells: Readonly<Record<Setting['kind'], () => Lines>> = {
    rnn: () => each([...product('p', 0, 'h'), ...open('y', 0, `${brought(0)} + p`), 'next[j] = y;']),
    gru: () => [
      ...each([
        ...product('p', 0, 'h'),
        ...open('z', 0, `${brought(0)} + p`),
        ...product('q', 1, 'h'),
        ...open('r', 0, `${brought(1)} + q`),
        'update[j] = z;',
        `reset[j] = ${linearBeforeReset ? 'r' : 'r * h[j]'};`,
      ]),
      ...each([
        ...product('p', 2, linearBeforeReset ? 'h' : 'reset'),
        ...open('n', 1, `${brought(2)} + ${linearBeforeReset ? `reset[j] * (p${besides})` : 'p'}`),
        'next[j] = (1.0 - update[j]) * n + update[j] * h[j];',
      ]),
    ],
    lstm: () =>
      each([
        ...product('p', 0, 'h'),
        ...open('i', 0, `${brought(0)} + p${peep(0, 'c[j]')}`),
        ...(coupled
          ? ['const f64 f = 1.0 - i;']
          : [...product('q', 2, 'h'), ...open('f', 0, `${brought(2)} + q${peep(2, 'c[j]')}`)]),
        ...product('u', 3, 'h'),
        ...open('g', 1, `${brought(3)} + u`),
        'c[j] = f * c[j] + i * g;',
        ...product('v', 1, 'h'),
        ...open('o', 0, `${brought(1)} + v${peep(1, 'c[j]')}`),
        'const f64 kept = c[j];',
        `next[j] = o * ${functions[2]!('kept')};`,
      ]),
  }
  const own = `(d * ${batch} + n) * ${hidden} + j`
  const isReversed = reverse.length === 2 && reverse[0] !== reverse[1] ? `d == ${reverse[0] ? 0 : 1}` : reverse[0] ? '1' : '0'
  const step = [
    `const long t = ${isReversed} ? ${length - 1} - step : step, place = ((t * ${batch} + n) * ${directions} + d) * ${gates * hidden};`,
    ...(lengths ? block('if (t >= x3[n])', [...each([store(`(${states} + t) * ${size} + ${own}`, '0.0')]), 'continue;']) : []),
    ...cells[kind](),
    ...each(['h[j] = next[j];', store(`(${states} + t) * ${size} + ${own}`, 'h[j]')]),
  ]
  const both = (body: (name: string, state: number) => string) =>
    each(['h', 'c'].slice(0, states).map((name, state) => body(name, state)))
  return [
    `f64 *const h = (f64 *)scratch, *const next = h + ${hidden};`,
    ...(states > 1 ? [`f64 *const c = h + ${2 * hidden};`] : []),
    ...(kind === 'gru' ? [`f64 *const update = h + ${3 * hidden}, *const reset = h + ${4 * hidden};`] : []),
    ...loop(
      'd',
      0,
      directions,
      1,
      loop('n', 0, batch, 1, [
        ...both((name, state) => `${name}[j] = ${at(2, `${state * size} + ${own}`)};`),
        ...block(`for (long step = 0; step < ${length}; step++)`, step),
        ...both((name, state) => store(`${state * size} + ${own}`, `${name}[j]`)),
      ]),
    ),
  ]
}
