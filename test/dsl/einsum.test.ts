import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { einsum } from '../../dsl/index.ts'
import { draw } from '../support/draw.ts'
import { assertNear, at, build, type Dense, noise, run } from './run.ts'

/** Sums over all values of all labels; terms are lists of labels. Dimensions of size 1 stand for any index. */
function naive(terms: readonly string[], result: string, operands: readonly Dense[]): Dense {
  const sizes = new Map<string, number>()
  for (const [i, term] of terms.entries())
    for (const [axis, label] of [...term].entries()) sizes.set(label, Math.max(sizes.get(label) ?? 1, operands[i]!.shape[axis]!))
  const summed = [...sizes.keys()].filter((label) => !result.includes(label))
  return build(
    [...result].map((label) => sizes.get(label)!),
    (...position) => {
      const inner = build(
        summed.map((label) => sizes.get(label)!),
        (...rest) => {
          const index = new Map<string, number>()
          for (const [i, label] of [...result].entries()) index.set(label, position[i]!)
          for (const [i, label] of summed.entries()) index.set(label, rest[i]!)
          return operands.reduce(
            (product, operand, i) =>
              product * at(operand)(...[...terms[i]!].map((label, axis) => (operand.shape[axis] === 1 ? 0 : index.get(label)!))),
            1,
          )
        },
      )
      return inner.values.reduce((a, b) => a + b, 0)
    },
  )
}

const evaluate = (equation: string, operands: readonly Dense[]) => {
  const given = Object.fromEntries(operands.map((operand, i) => [`x${i}`, operand]))
  return run(given, (v) => ({ result: einsum(equation, Object.values(v)) }))
}

const cases: [equation: string, shapes: number[][], terms?: string[], result?: string][] = [
  [
    'ij,jk->ik',
    [
      [2, 3],
      [3, 4],
    ],
  ],
  [
    'bhid,bhjd->bhij',
    [
      [2, 3, 4, 5],
      [2, 3, 6, 5],
    ],
  ],
  [
    'bij,jk->bik',
    [
      [2, 3, 4],
      [4, 5],
    ],
  ],
  ['i,i->', [[4], [4]]],
  ['i,j->ij', [[4], [3]]],
  ['ii->i', [[3, 3]]],
  ['iji->j', [[3, 2, 3]]],
  ['iii->', [[3, 3, 3]]],
  ['ij->ji', [[2, 3]]],
  ['ijk->k', [[2, 3, 4]]],
  [
    'ij,ij->ij',
    [
      [2, 3],
      [2, 3],
    ],
  ],
  [
    'ij,kj,jl->kli',
    [
      [2, 3],
      [4, 3],
      [3, 5],
    ],
  ],
  [
    'aij,ajk,akl->il',
    [
      [2, 3, 4],
      [2, 4, 5],
      [2, 5, 3],
    ],
  ],
  ['ij,j->i', [[2, 3], [3]]],
  ['ij,->ij', [[2, 3], []]],
  [
    'i j , j k',
    [
      [2, 3],
      [3, 4],
    ],
    ['ij', 'jk'],
    'ik',
  ],
  ['ba', [[2, 3]], ['ba'], 'ab'],
  ['bA', [[2, 3]], ['bA'], 'Ab'],
  [
    '...ij,...jk->...ik',
    [
      [5, 2, 3],
      [3, 4],
    ],
    ['zij', 'jk'],
    'zik',
  ],
  [
    '...ij,...jk->...ik',
    [
      [5, 1, 2, 3],
      [4, 3, 4],
    ],
    ['yzij', 'zjk'],
    'yzik',
  ],
  ['i...->...i', [[5, 2, 3]], ['iyz'], 'yzi'],
  [
    '...i,...i',
    [
      [4, 3],
      [2, 1, 3],
    ],
    ['zi', 'yzi'],
    'yz',
  ],
  ['...ii->...i', [[2, 3, 3]], ['zii'], 'zi'],
  [
    'b...,b...->...',
    [
      [2, 3],
      [2, 1],
    ],
    ['bz', 'bz'],
    'z',
  ],
  [
    'ij,jk->ik',
    [
      [2, 1],
      [3, 4],
    ],
  ],
  [
    'ij,ij->',
    [
      [2, 3],
      [2, 3],
    ],
  ],
]
for (const [equation, shapes, terms, result] of cases) {
  test(`${equation} of ${JSON.stringify(shapes)}`, () => {
    const operands = shapes.map((shape, i) => noise(shape, i + 1))
    const [left, right] = equation.replaceAll(' ', '').split('->')
    const found = evaluate(equation, operands)
    assertNear(found.result!, naive(terms ?? left!.split(','), result ?? right!, operands), equation)
  })
}

test('a product of matrices is one', () => {
  const ops = (equation: string, ...shapes: number[][]) =>
    evaluate(
      equation,
      shapes.map((shape, i) => noise(shape, i)),
    ).nodes.map(({ op }) => op)
  assert.equal(ops('ij,jk->ik', [2, 3], [3, 4]), ['matmul'])
  assert.equal(ops('bij,bjk->bik', [2, 2, 3], [2, 3, 4]), ['matmul'])
  assert.equal(ops('...ij,jk->...ik', [2, 2, 3], [3, 4]), ['matmul'])
  assert.equal(ops('bhid,bhjd->bhij', [1, 2, 3, 4], [1, 2, 5, 4]), ['transpose', 'matmul'])
  assert.equal(ops('ij->ij', [2, 3]), [])
})

test('integers multiply and add as integers', () => {
  const operands = [
    { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    { shape: [3, 2], values: [1, -1, 2, -2, 3, -3] },
  ]
  const found = run({ a: operands[0]!, b: operands[1]! }, (v) => ({ result: einsum('ij,jk->ik', [v.a!, v.b!]) }), 'i32')
  assert.equal(found.result!.values, [14, -14, 32, -32])
})

test('random equations', () => {
  const label = fc.constantFrom(...'abcdef')
  const term = fc.array(label, { minLength: 0, maxLength: 4 }).map((labels) => labels.join(''))
  const property = fc.property(
    fc.array(term, { minLength: 1, maxLength: 3 }),
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }),
    fc.shuffledSubarray([...'abcdef']),
    (terms, sizes, wanted) => {
      const known = new Set(terms.join(''))
      const result = wanted.filter((one) => known.has(one)).join('')
      const operands = terms.map((one, i) =>
        noise(
          [...one].map((letter) => sizes['abcdef'.indexOf(letter)]!),
          i,
        ),
      )
      assertNear(
        evaluate(`${terms.join(',')}->${result}`, operands).result!,
        naive(terms, result, operands),
        `${terms}->${result}`,
      )
    },
  )
  fc.assert(property, draw(5, 120))
})

test('mistakes', () => {
  const refused: [string, number[][], RegExp][] = [
    ['ij,jk->ik', [[2, 3]], /2 terms for 1 operands/],
    ['ij->', [[2, 3, 4]], /term 'ij' names 2 dimensions of \[2, 3, 4\]/],
    [
      'ij,jk->ik',
      [
        [2, 3],
        [4, 5],
      ],
      /'j' is 3 in one place and 4 in another/,
    ],
    ['ii->', [[2, 3]], /'i' is /],
    ['ij->ijj', [[2, 3]], /a label stands twice in the result/],
    ['ij->k', [[2, 3]], /the result has 'k'/],
    ['i$->', [[2, 3]], /labels must be letters/],
    ['i.j->', [[2, 3]], /labels must be letters/],
    ['...i...->', [[2, 3]], /'...' stands twice in a term/],
    ['i->i->i', [[2]], /'->' stands twice/],
  ]
  for (const [equation, shapes, message] of refused) {
    assert.throws(
      () =>
        evaluate(
          equation,
          shapes.map((shape) => noise(shape, 1)),
        ),
      message,
    )
  }
})

test.run()
