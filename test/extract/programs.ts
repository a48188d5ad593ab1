import fc from 'fast-check'

/**
 * Random programs of the subset, as text. They end: loops count to a small number, functions call only functions declared before
 * them. What they do not promise is to make sense, so that exceptions are as frequent as values.
 */
const names = ['a', 'b', 'c', 'd'] as const
const keys = ['x', 'y', 'length', '0', 'z'] as const
const pick = <T>(...options: readonly T[]) => fc.constantFrom(...options)
const depthIdentifier = fc.createDepthIdentifier()

const literal = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 9 }).map((n) => (n < 0 ? `(${n})` : String(n))) },
  { weight: 1, arbitrary: pick('0.5', '1e3', 'NaN', 'Infinity', '-0', '2n', '0x10', '1e21') },
  { weight: 3, arbitrary: pick("'p'", "'xy'", "''", "'12'", "'3.5'", "'añ'", '`t`') },
  { weight: 2, arbitrary: pick('true', 'false', 'null', 'undefined') },
)

const binary = pick(
  '+',
  '-',
  '*',
  '/',
  '%',
  '**',
  '&',
  '|',
  '^',
  '<<',
  '>>',
  '>>>',
  '<',
  '>',
  '<=',
  '>=',
  '==',
  '!=',
  '===',
  '!==',
  '+',
  '+',
  '-',
  '*',
)
const assignment = pick('=', '=', '+=', '-=', '*=', '??=', '||=', '&&=', '|=', '<<=')
const arrayCalls = [
  'map',
  'filter',
  'some',
  'every',
  'find',
  'findIndex',
  'flatMap',
  'forEach',
  'findLast',
  'findLastIndex',
] as const
const plainCalls = [
  'slice(1)',
  'slice(-2)',
  'concat([7], 8)',
  'join("-")',
  'reverse()',
  'at(-1)',
  'includes(1)',
  'indexOf(2)',
  'flat()',
  'toSorted()',
  'sort()',
  'push(4)',
  'pop()',
  'shift()',
  'unshift(0)',
  'splice(1, 1, 5)',
  'fill(1, 1)',
  'with(0, 3)',
  'toReversed()',
  'lastIndexOf(1)',
  'length',
  'toString()',
  'toUpperCase()',
  'trim()',
  'split("")',
  'padStart(5, "*")',
  'repeat(2)',
  'toFixed(1)',
  'substring(1)',
  'charCodeAt(0)',
  'replace("x", "_")',
  'startsWith("p")',
  'codePointAt(0)',
  'keys()',
  'hasOwnProperty("x")',
  'toString(2)',
] as const
const globalCalls = [
  'Math.max',
  'Math.min',
  'Math.floor',
  'Math.abs',
  'Math.sign',
  'Number',
  'String',
  'Boolean',
  'JSON.stringify',
  'Object.keys',
  'Object.values',
  'Object.entries',
  'Array.from',
  'Array.isArray',
  'parseInt',
  'parseFloat',
  'isNaN',
  'Number.isInteger',
  'Array.of',
  'BigInt',
  'new Set',
  'new Map',
  'new Error',
  'Object.freeze',
  'Math.round',
  'new Point',
  'Object.is',
] as const

const { expression } = fc.letrec<{ expression: string; pattern: string }>((tie) => {
  const inner = tie('expression')
  return {
    pattern: pick('e', '[e]', '{ x: e }', '{ x: e = 1 }', '[, e = 2]', '[...e]', '{ ...e }', '{ x: { y: e } = {} }'),
    expression: fc.oneof(
      { maxDepth: 5, depthIdentifier },
      { weight: 3, arbitrary: literal },
      { weight: 4, arbitrary: pick(...names) },
      { weight: 4, arbitrary: fc.tuple(inner, binary, inner).map(([l, op, r]) => `((${l}) ${op} (${r}))`) },
      { weight: 1, arbitrary: fc.tuple(pick('&&', '||', '??'), inner, inner).map(([op, l, r]) => `((${l}) ${op} (${r}))`) },
      { weight: 1, arbitrary: fc.tuple(pick('!', '-', '+', '~', 'typeof ', 'void '), inner).map(([op, e]) => `(${op}(${e}))`) },
      { weight: 1, arbitrary: fc.tuple(inner, inner, inner).map(([c, t, f]) => `((${c}) ? (${t}) : (${f}))`) },
      {
        weight: 2,
        arbitrary: fc
          .array(fc.tuple(fc.boolean(), inner), { maxLength: 3 })
          .map((items) => `[${items.map(([, e]) => e).join(', ')}]`),
      },
      { weight: 1, arbitrary: fc.tuple(inner, inner).map(([s, e]) => `[...(${s}), ${e}]`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(pick(...keys), inner, inner)
          .map(([k, e, s]) => `({ ${JSON.stringify(k)}: ${e}, ...(${s}), get g() { return 1 } })`),
      },
      { weight: 1, arbitrary: fc.tuple(inner, inner).map(([k, e]) => `({ [${k}]: ${e}, m() { return this.x } })`) },
      {
        weight: 2,
        arbitrary: fc.tuple(inner, pick('.', '?.'), pick('x', 'y', 'length', 'g', 'm')).map(([o, dot, k]) => `(${o})${dot}${k}`),
      },
      { weight: 2, arbitrary: fc.tuple(inner, pick('', '?.'), inner).map(([o, dot, k]) => `(${o})${dot}[${k}]`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(inner, pick(...arrayCalls), inner, tie('pattern'))
          .map(([o, m, e, p]) => `(${o}).${m}((${p}, i) => ${e})`),
      },
      { weight: 2, arbitrary: fc.tuple(inner, pick('.', '?.'), pick(...plainCalls)).map(([o, dot, m]) => `(${o})${dot}${m}`) },
      { weight: 1, arbitrary: fc.tuple(inner, inner, inner).map(([o, e, s]) => `(${o}).reduce((e, i) => ${e}, ${s})`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(pick(...globalCalls), fc.array(inner, { maxLength: 3 }))
          .map(([f, args]) => `${f}(${args.join(', ')})`),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(pick('f', 'g', 'new Point', 'o.m', 'o?.m'), fc.array(inner, { maxLength: 3 }))
          .map(([f, args]) => `${f}(${args.join(', ')})`),
      },
      { weight: 1, arbitrary: fc.tuple(inner, inner).map(([a, b]) => `\`<\${${a}}|\${${b}}>\``) },
      { weight: 1, arbitrary: fc.tuple(pick(...names), assignment, inner).map(([n, op, e]) => `(${n} ${op} (${e}))`) },
      { weight: 1, arbitrary: fc.tuple(pick(...names), pick('++', '--')).map(([n, op]) => `(${n}${op})`) },
      {
        weight: 1,
        arbitrary: fc.tuple(inner, pick('Array', 'Map', 'Error', 'Point', 'Object')).map(([e, c]) => `((${e}) instanceof ${c})`),
      },
      { weight: 1, arbitrary: fc.tuple(pick(...keys), inner).map(([k, e]) => `(${JSON.stringify(k)} in (${e}))`) },
    ),
  }
})

const { block } = fc.letrec<{ block: string; statement: string }>((tie) => {
  const body = tie('block')
  return {
    statement: fc.oneof(
      { maxDepth: 3, depthIdentifier },
      { weight: 5, arbitrary: expression.map((e) => `out.push(${e})`) },
      { weight: 3, arbitrary: fc.tuple(pick(...names), assignment, expression).map(([n, op, e]) => `${n} ${op} ${e}`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(pick(...names), pick('x', 'y', '0', 'length'), assignment, expression)
          .map(([n, k, op, e]) => `${n}[${JSON.stringify(k)}] ${op} ${e}`),
      },
      { weight: 1, arbitrary: expression.map((e) => `[a, b = 3] = ${e.startsWith('[') ? e : `[${e}]`}`) },
      { weight: 1, arbitrary: expression.map((e) => `({ x: c, y: d = 4, ...b } = ${e});`) },
      { weight: 2, arbitrary: fc.tuple(expression, body, body).map(([e, t, f]) => `if (${e}) {${t}} else {${f}}`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(
            body,
            pick('', 'continue', 'if (i === 1) continue', 'if (i === 1) break', 'if (i === 1) continue outer', 'break outer'),
          )
          .map(([b, j]) => `for (let i = 0; i < 3; i++) {${b}\n${j}}`),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(expression, body).map(([e, b]) => `for (const e of ${e}) {if (++turns > 40) break; ${b}}`),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(expression, body)
          .map(([e, b]) => `for (const e in ${e}) {if (++turns > 40) break; out.push(e); ${b}}`),
      },
      { weight: 1, arbitrary: fc.tuple(expression, body).map(([e, b]) => `while (${e}) {if (++turns > 40) break; ${b}}`) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(expression, expression, body, body)
          .map(([e, c, x, y]) => `switch (${e}) {case ${c}: ${x}\ncase 1: out.push('one'); break\ndefault: ${y}}`),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(body, body, body)
          .map(([t, c, f]) => `try {${t}} catch (e) {out.push(e?.name ?? e); ${c}} finally {${f}}`),
      },
      { weight: 1, arbitrary: fc.tuple(expression, expression).map(([c, e]) => `if (${c}) throw ${e}`) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(pick('let', 'const', 'var'), expression, body)
          .map(([k, e, b]) => `{ ${k} q = ${e}; out.push(() => q, q); ${b} }`),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(expression, pick('return', 'return ')).map(([e, r]) => `if (turns > 20) ${r.trim()} ${e}`),
      },
    ),
    block: fc.array(tie('statement'), { maxLength: 3, depthIdentifier }).map((statements) => statements.join(';\n')),
  }
})

/** A module whose default export is a list of what it computed, with the exception that ended it. */
export const program: fc.Arbitrary<string> = fc
  .tuple(block, block, fc.array(block, { minLength: 1, maxLength: 4 }), expression)
  .map(
    ([first, second, main, field]) => `
const out: unknown[] = []
let turns = 0
let a: any = 1, b: any = [1, 2, 3], c: any = { x: 1, y: [2] }, d: any = 'xyz', e: any, i: any = 0
class Point { x = 1; #h = 2; constructor(public y?: any, ...r: any[]) { if (r.length) this.x = r } get g() { return this.#h } m() { return this.x } static s = 5 }
const o = { x: 3, m(p: any, q = p) { return [this.x, p, q] } }
function f(e?: any, i: any = 2): any { ${'if (++turns > 40) return e'}\nouter: { ${first.replaceAll('continue outer', 'break outer')} } return e }
const g = (e?: any, ...i: any[]): any => { if (++turns > 40) return i\nouter: { ${second.replaceAll('continue outer', 'break outer')} } return [e, i] }
const run = () => { outer: for (let i = 0; i < 2; i++) { ${main.join(';\n')} } return ${field} }
let end: any
try { end = ['returned', run()] } catch (error: any) { end = ['threw', error instanceof Error ? error.name : error] }
export default [end, out, a, b, c, d, turns]
`,
  )
