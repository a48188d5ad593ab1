import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from '../../dsl/onnx/model.ts'
import { prepare } from '../../dsl/onnx/prepare/index.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor, type Sketch } from './build.ts'

const print = ({ op, domain, opset, inputs, outputs, attributes }: OnnxNode): string => {
  const written = [...attributes].map(
    ([name, { kind, value }]) => ` ${name}=${kind === 'graph' ? `{ ${printGraph(value)} }` : String(value)}`,
  )
  return `${outputs.join(', ')} = ${domain ? `${domain}.` : ''}${op}${opset === undefined ? '' : `@${opset}`}(${inputs.join(', ')})${written.join('')}`
}
const printGraph = ({ nodes, inputs, outputs, initializers }: OnnxGraph): string =>
  [
    `(${inputs.map(({ name }) => name).join(', ')})`,
    ...[...initializers.keys()].map((name) => `const ${name}`),
    ...nodes.map(print),
    `→ ${outputs.map(({ name }) => name).join(', ')}`,
  ].join('; ')
const prepared = (sketch: Sketch, ...functions: OnnxFunction[]): string =>
  printGraph(prepare(withFunctions(sketch, functions)).graph)
const withFunctions = (sketch: Sketch, functions: readonly OnnxFunction[]): OnnxModel => ({
  ...onnxModel(sketch),
  functions: new Map(functions.map((each) => [`${each.domain}::${each.name}${each.overload ? `::${each.overload}` : ''}`, each])),
})
const fn = (
  name: string,
  inputs: string,
  outputs: string,
  nodes: readonly OnnxNode[],
  more: Partial<OnnxFunction> = {},
): OnnxFunction => ({
  domain: 'f',
  name,
  inputs: inputs.split(',').filter(Boolean),
  outputs: outputs.split(',').filter(Boolean),
  nodes,
  opsets: new Map([['', 21]]),
  attributes: new Map(),
  ...more,
})
const refers = (node: OnnxNode, name: string, to: string): OnnxNode => ({
  ...node,
  attributes: new Map<string, OnnxAttribute>([...node.attributes, [name, { kind: 'reference', value: to }]]),
})
const fails = (sketch: Sketch, pattern: RegExp, ...functions: OnnxFunction[]): void => {
  try {
    prepare(withFunctions(sketch, functions))
  } catch (error) {
    assert.is((error as { code?: string }).code, 'onnx-malformed', String((error as Error).stack))
    assert.match((error as Error).message, pattern)
    return
  }
  assert.unreachable('nothing was thrown')
}
const x = { x: ['f32', [2]] } as const

test('nodes are sorted, those in order stay, and those that nothing needs are left out', () => {
  const nodes = [onnxNode('C', 'b,a', 'y'), onnxNode('Dead', 'a', 'd'), onnxNode('B', 'a', 'b,unused'), onnxNode('A', 'x', 'a')]
  assert.is(prepared({ inputs: x, nodes, outputs: ['y'] }), '(x); a = A(x); b, unused = B(a); y = C(b, a); → y')
  const inOrder = [onnxNode('A', 'x', 'a'), onnxNode('B', 'x', 'b'), onnxNode('C', 'b,a', 'y')]
  assert.is(prepared({ inputs: x, nodes: inOrder, outputs: ['y', 'x'] }), '(x); a = A(x); b = B(x); y = C(b, a); → y, x')
})

test('inputs with an initializer are constants', () => {
  const inputs = { x: ['f32', [2]], w: ['f32', [2]] } as const
  const constants = [onnxTensor('w', 'f32', [2], [1, 2])]
  assert.is(
    prepared({ inputs, constants, nodes: [onnxNode('Add', 'x,w', 'y')], outputs: ['y'] }),
    '(x); const w; y = Add(x, w); → y',
  )
})

test('a branch counts as a use of what it takes from outside', () => {
  const branch = (node: OnnxNode) => onnxGraph({ nodes: [node], outputs: ['r'] })
  const nodes = [
    onnxNode('If', 'c', 'y', {
      then_branch: branch(onnxNode('Neg', 'late', 'r')),
      else_branch: branch(onnxNode('Abs', 'x', 'r')),
    }),
    onnxNode('Late', 'x', 'late'),
  ]
  assert.is(
    prepared({ inputs: { ...x, c: ['bool', []] }, nodes, outputs: ['y'] }),
    '(x, c); late = Late(x); y = If(c) then_branch={ (); r = Neg(late); → r } else_branch={ (); r = Abs(x); → r }; → y',
  )
})

test('values that are made never, twice, or by themselves', () => {
  fails({ inputs: x, nodes: [onnxNode('A', 'z', 'y')], outputs: ['y'] }, /A "y" uses the value "z", which nothing makes/)
  fails({ inputs: x, nodes: [onnxNode('A', 'x', 'y')], outputs: ['z'] }, /nothing makes the output "z"/)
  fails({ inputs: x, nodes: [onnxNode('A', 'x', 'y')], outputs: ['y', 'y'] }, /two outputs called "y"/)
  fails({ inputs: x, nodes: [], outputs: [] }, /no outputs/)
  fails(
    { inputs: x, nodes: [onnxNode('A', 'x', 'y', {}, 'n'), onnxNode('B', 'x', 'y')], outputs: ['y'] },
    /A "n" and B "y" both make the value "y"/,
  )
  fails({ inputs: x, nodes: [onnxNode('A', 'x', 'y,y')], outputs: ['y'] }, /both make/)
  fails({ inputs: x, nodes: [onnxNode('A', 'x', 'x')], outputs: ['x'] }, /makes the value "x", which is an input/)
  fails(
    { inputs: x, nodes: [onnxNode('A', 'b', 'a'), onnxNode('B', 'a', 'b'), onnxNode('C', 'x', 'y')], outputs: ['y'] },
    /cycle: A "a" ← B "b"/,
  )
  fails({ inputs: x, nodes: [onnxNode('A', 'x,a', 'a')], outputs: ['a'] }, /cycle/)
  const within = onnxGraph({ nodes: [onnxNode('A', 'q', 'r')], outputs: ['r'] })
  fails(
    { inputs: x, nodes: [onnxNode('If', 'x', 'y', { then_branch: within })], outputs: ['y'] },
    /uses the value "q", which nothing makes/,
  )
  const cyclic = onnxGraph({ nodes: [onnxNode('A', 'r', 'r')], outputs: ['r'] })
  fails({ inputs: x, nodes: [onnxNode('If', 'x', 'y', { then_branch: cyclic })], outputs: ['y'] }, /cycle/)
})

test('a chain as long as a file can be', () => {
  const length = 100_000
  const nodes = Array.from({ length }, (_, i) => onnxNode('A', i === 0 ? 'x' : `v${i - 1}`, `v${i}`)).reverse()
  const { graph } = prepare(onnxModel({ inputs: x, nodes, outputs: [`v${length - 1}`] }))
  assert.is(graph.nodes.length, length)
  assert.equal(graph.nodes[1]!.inputs, ['v0'])
})

test('a graph beyond every network', () => {
  const nodes = Array.from({ length: 160_000 }, (_, i) => onnxNode('A', i === 0 ? 'x' : `v${i - 1}`, `v${i}`))
  try {
    prepare(onnxModel({ inputs: x, nodes, outputs: ['v159999'] }))
    assert.unreachable('nothing was thrown')
  } catch (error) {
    assert.is((error as { code?: string }).code, 'onnx-unsupported')
    assert.match((error as Error).message, /160000 nodes with 320001 operands and results together, the limit is 300000/)
  }
})

test('functions: names of their own for each call, in the order of the file', () => {
  const norm = fn('Norm', 'a,b', 'r', [onnxNode('Sub', 'a,b', 't'), onnxNode('Neg', 't', 'r')])
  const nodes = [onnxNode('f.Norm', 'x,x', 'y1', {}, 'first'), onnxNode('f.Norm', 'y1,x', 'y', {}, 'second')]
  assert.is(
    prepared({ inputs: x, nodes, outputs: ['y'] }, norm),
    '(x); first/t = Sub(x, x); y1 = Neg(first/t); second/t = Sub(y1, x); y = Neg(second/t); → y',
  )
})

test('functions: a name that is taken is not taken again', () => {
  const norm = fn('Norm', 'a', 'r', [onnxNode('Abs', 'a', 't'), onnxNode('Neg', 't', 'r')])
  const nodes = [onnxNode('Exp', 'x', 'n/t'), onnxNode('f.Norm', 'n/t', 'y', {}, 'n')]
  assert.is(prepared({ inputs: x, nodes, outputs: ['y'] }, norm), '(x); n/t = Exp(x); n/t_1 = Abs(n/t); y = Neg(n/t_1); → y')
})

test('functions: attributes of the call, defaults, and none', () => {
  const body = refers(refers(refers(onnxNode('Op', 'a', 'r', { own: 1 }), 'given', 'g'), 'fallback', 'h'), 'absent', 'k')
  const made = fn('F', 'a', 'r', [body], {
    attributes: new Map<string, OnnxAttribute | undefined>([
      ['g', undefined],
      ['h', { kind: 'int', value: 5 }],
      ['k', undefined],
    ]),
  })
  assert.is(
    prepared({ inputs: x, nodes: [onnxNode('f.F', 'x', 'y', { g: 7 })], outputs: ['y'] }, made),
    '(x); y = Op(x) own=1 given=7 fallback=5; → y',
  )
})

test('functions: absent inputs, unwanted outputs, outputs that are inputs, one value twice', () => {
  const made = fn('F', 'a,b', 'p,q,a,p', [onnxNode('Clip', 'a,b', 'p,q')])
  const nodes = [onnxNode('f.F', 'x', 'u,,v,w'), onnxNode('Out', 'u,v,w', 'y')]
  assert.is(
    prepared({ inputs: x, nodes, outputs: ['y'] }, made),
    '(x); u, F/q = Clip(x, ); v = Identity(x); w = Identity(u); y = Out(u, v, w); → y',
  )
})

test('functions: within functions and branches, overloads, own versions of operators', () => {
  const inner = fn('Inner', 'a', 'r', [onnxNode('Neg', 'a', 'r')], { opsets: new Map([['', 13]]) })
  const special = fn('Inner', 'a', 'r', [onnxNode('Abs', 'a', 'r')], { overload: 'special' })
  const branch = onnxGraph({ nodes: [onnxNode('f.Inner', 'a', 't'), onnxNode('Exp', 't', 'r')], outputs: ['r'] })
  const outer = fn(
    'Outer',
    'a',
    'r',
    [{ ...onnxNode('f.Inner', 'a', 'm'), overload: 'special' }, onnxNode('If', 'm', 'r', { then_branch: branch })],
    { opsets: new Map([['', 18]]) },
  )
  assert.is(
    prepared({ inputs: x, nodes: [onnxNode('f.Outer', 'x', 'y', {}, 'o')], outputs: ['y'] }, inner, special, outer),
    '(x); o/m = Abs(x); y = If@18(o/m) then_branch={ (); o/t = Neg@13(x); o/r = Exp@18(o/t); → o/r }; → y',
  )
})

test('functions that call themselves, each other too often, or what is not there', () => {
  const call = (name: string) => ({ inputs: x, nodes: [onnxNode(`f.${name}`, 'x', 'y')], outputs: ['y'] })
  fails(call('A'), /"f::A" calls itself/, fn('A', 'a', 'r', [onnxNode('f.A', 'a', 'r')]))
  fails(
    call('A'),
    /"f::A" → "f::B" → "f::A"/,
    fn('A', 'a', 'r', [onnxNode('f.B', 'a', 'r')]),
    fn('B', 'a', 'r', [onnxNode('f.A', 'a', 'r')]),
  )
  fails(call('A'), /uses the value "q", which nothing in it makes/, fn('A', 'a', 'r', [onnxNode('Neg', 'q', 'r')]))
  fails(call('A'), /nothing in it makes/, fn('A', 'a', 'q', [onnxNode('Neg', 'a', 'r')]))
  fails(
    { ...call('A'), nodes: [onnxNode('f.A', 'x,x', 'y')] },
    /it has 2 inputs, the function has 1/,
    fn('A', 'a', 'r', [onnxNode('Neg', 'a', 'r')]),
  )
  const twice = (i: number) => fn(`F${i}`, 'a', 'r', [onnxNode(`f.F${i + 1}`, 'a', 't'), onnxNode(`f.F${i + 1}`, 't', 'r')])
  const doubling = [...Array.from({ length: 40 }, (_, i) => twice(i)), fn('F40', 'a', 'r', [onnxNode('Neg', 'a', 'r')])]
  fails(call('F0'), /expand to \d+ names, the limit is/, ...doubling)
  const once = (i: number) => fn(`F${i}`, 'a', 'r', [onnxNode(`f.F${i + 1}`, 'a', 'r')])
  fails(call('F0'), /deeper than 64/, ...Array.from({ length: 80 }, (_, i) => once(i)))
})

test('files of other times', () => {
  const sketch = { inputs: x, nodes: [onnxNode('A', 'x', 'y')], outputs: ['y'] }
  const codeOf = (model: OnnxModel) => {
    try {
      prepare(model)
    } catch (error) {
      return `${(error as { code: string }).code} ${(error as Error).message}`
    }
    return 'fine'
  }
  assert.match(codeOf({ ...onnxModel(sketch), irVersion: 2 }), /^onnx-unsupported .*IR version 2, the oldest that is read is 3/)
  assert.match(codeOf({ ...onnxModel(sketch), irVersion: 0 }), /^onnx-malformed .*does not say its IR version/)
  assert.is(codeOf(onnxModel(sketch, 1)), 'fine')
  assert.is(codeOf({ ...onnxModel(sketch), irVersion: 3 }), 'fine')
})

test.run()
