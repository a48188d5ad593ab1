import { join } from 'node:path'
import fc from 'fast-check'
import ts from 'typescript'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem } from '../../compiler/graph/index.ts'
import * as glowplug from '../../dsl/index.ts'
import { createTracer } from '../../dsl/trace.ts'
import { tensorOf, withTracer } from '../../dsl/tracer.ts'

/*
 * The types of the DSL are a second statement of shape inference. Random calls with literal operands are made at run time, where the op
 * definitions infer the shape, and written as TypeScript, where the compiler must arrive at the same or at "unknown".
 */

const root = process.env.GLOWPLUG_ROOT!

/** A call in text; `$[1, 2]` stands for a tensor of that shape. */
const extent = fc.integer({ min: 1, max: 40 })
const small = fc.integer({ min: 1, max: 4 })
const shape = (rank: number) => fc.array(extent, { minLength: rank, maxLength: rank })
const anyShape = fc.integer({ min: 1, max: 4 }).chain(shape)
const shown = (list: readonly number[]) => `$[${list.join(', ')}]`
const axisOf = (list: readonly number[], offset = 0) => fc.integer({ min: -list.length - offset, max: list.length - 1 + offset })

const window = fc.record({
  kernel: fc.integer({ min: 1, max: 5 }),
  stride: small,
  before: fc.integer({ min: 0, max: 3 }),
  after: fc.integer({ min: 0, max: 3 }),
  dilation: fc.integer({ min: 1, max: 3 }),
})
const padding = fc.oneof(
  window.map(({ before }) => `${before}`),
  window.map(({ before, after }) => `{ before: ${before}, after: ${after} }`),
  fc.tuple(window, window).map(([a, b]) => `[${a.before}, ${b.after}]`),
  fc.constant("'same'"),
)
const windowOptions = fc
  .tuple(window, window, padding)
  .map(([a, b, pads]) => ({ a, b, text: `stride: [${a.stride}, ${b.stride}], dilation: ${a.dilation}, padding: ${pads}` }))

/** A shape that broadcasts with the given one. */
const broadcastable = (list: readonly number[]) =>
  fc
    .tuple(fc.integer({ min: 0, max: list.length }), fc.array(fc.boolean(), { minLength: list.length, maxLength: list.length }))
    .map(([drop, ones]) => list.map((e, i) => (ones[i] ? 1 : e)).slice(drop))
const subset = (list: readonly number[]) => fc.uniqueArray(fc.nat(list.length - 1), { minLength: 1, maxLength: list.length })

const call = fc.oneof(
  fc
    .tuple(small, small, shape(2), windowOptions, small)
    .map(
      ([n, c, [h, w], { a, b, text }, out]) =>
        `conv2d(${shown([n, c, h!, w!])}, ${shown([out, c, a.kernel, b.kernel])}, undefined, { ${text} })`,
    ),
  fc
    .tuple(small, small, extent, window, small)
    .map(
      ([n, c, l, k, out]) =>
        `conv1d(${shown([n, c, l])}, ${shown([out, c, k.kernel])}, undefined, { stride: ${k.stride}, padding: ${k.before} })`,
    ),
  fc
    .tuple(small, shape(2), windowOptions)
    .map(([n, [h, w], { a, b, text }]) => `maxPool2d(${shown([n, 3, h!, w!])}, [${a.kernel}, ${b.kernel}], { ${text} })`),
  fc.tuple(shape(2), window).map(([[h, w], k]) => `avgPool2d(${shown([1, 3, h!, w!])}, ${k.kernel})`),
  fc.tuple(shape(2), small, small).map(([[h, w], a, b]) => `adaptiveAvgPool2d(${shown([1, 3, h!, w!])}, [${a}, ${b}])`),
  anyShape.chain((list) => broadcastable(list).map((other) => `add(${shown(list)}, ${shown(other)})`)),
  anyShape.chain((list) => broadcastable(list).map((other) => `less(${shown(other)}, ${shown(list)})`)),
  fc
    .tuple(anyShape, extent, extent, extent)
    .map(([lead, m, k, n]) => `matmul(${shown([...lead.slice(1), m, k])}, ${shown([...lead.slice(2), k, n])})`),
  fc
    .tuple(small, small, shape(2), windowOptions, small)
    .map(
      ([n, c, [h, w], { a, b, text }, out]) =>
        `convInteger(cast(${shown([n, c, h!, w!])}, 'u8'), cast(${shown([out, c, a.kernel, b.kernel])}, 'i8'), undefined, { ${text} })`,
    ),
  fc
    .tuple(anyShape, extent, extent, extent)
    .map(
      ([lead, m, k, n]) =>
        `matmulInteger(cast(${shown([...lead.slice(1), m, k])}, 'u8'), cast(${shown([...lead.slice(2), k, n])}, 'i8'))`,
    ),
  anyShape.map((list) => `requantize(cast(${shown(list)}, 'i32'), { dtype: 'u8', inputScale: 0.5, scale: 0.25 })`),
  anyShape.map((list) => `dequantize(quantize(${shown(list)}, { dtype: 'i8', scale: 0.5 }))`),
  fc.tuple(anyShape, extent).map(([list, out]) => `linear(${shown(list)}, ${shown([out, list.at(-1)!])})`),
  anyShape.chain((list) =>
    fc
      .tuple(fc.constant(list), axisOf(list), extent)
      .map(
        ([list, axis, e]) =>
          `concat([${shown(list)}, ${shown(list.map((x, i) => (i === (axis + list.length) % list.length ? e : x)))}], { axis: ${axis} })`,
      ),
  ),
  anyShape.chain((list) => axisOf([...list, 1]).map((axis) => `stack([${shown(list)}, ${shown(list)}], { axis: ${axis} })`)),
  anyShape.chain((list) =>
    fc
      .tuple(axisOf(list), fc.integer({ min: -45, max: 45 }), fc.integer({ min: -45, max: 45 }))
      .map(([axis, start, stop]) => `slice(${shown(list)}, { axis: ${axis}, start: ${start}, stop: ${stop} })`),
  ),
  anyShape.chain((list) => axisOf(list).map((axis) => `slice(${shown(list)}, { axis: ${axis}, start: 1 })`)),
  anyShape.chain((list) =>
    fc
      .shuffledSubarray([...list.keys()], { minLength: list.length })
      .map((order) => `transpose(${shown(list)}, [${order.join(', ')}])`),
  ),
  anyShape.chain((list) =>
    fc
      .tuple(subset(list), fc.boolean())
      .map(([axes, keep]) => `mean(${shown(list)}, { axes: [${axes.join(', ')}], keepDims: ${keep} })`),
  ),
  anyShape.chain((list) => axisOf(list).map((axis) => `sum(${shown(list)}, { axes: ${axis} })`)),
  anyShape.map((list) => `reshape(${shown(list)}, [${[...list].reverse().join(', ')}])`),
  fc.tuple(anyShape, small).map(([list, factor]) => `reshape(${shown([factor, ...list])}, [-1, ${list.at(-1)!}])`),
  anyShape.chain((list) =>
    fc.integer({ min: 0, max: list.length - 1 }).map((axis) => `flatten(${shown(list)}, { axis: ${axis} })`),
  ),
  anyShape.chain((list) =>
    fc
      .uniqueArray(fc.nat(list.length + 1), { minLength: 2, maxLength: 2 })
      .map((axes) => `unsqueeze(${shown(list)}, { axes: [${axes.join(', ')}] })`),
  ),
  anyShape.chain((list) =>
    axisOf(list).map(
      (axis) => `squeeze(${shown(list.map((e, i) => (i === (axis + list.length) % list.length ? 1 : e)))}, { axes: [${axis}] })`,
    ),
  ),
  fc
    .tuple(anyShape, small, small)
    .map(
      ([list, a, b]) =>
        `pad(${shown(list)}, { before: [${list.map(() => a).join(', ')}], after: [${list.map(() => b).join(', ')}] })`,
    ),
  fc.tuple(shape(4), extent, extent).map(([list, a, b]) => `resize(${shown(list)}, [${a}, ${b}])`),
  fc
    .tuple(anyShape, anyShape)
    .chain(([list, indices]) =>
      axisOf(list).map(
        (axis) =>
          `gather(${shown(list.slice(0, 3))}, cast(${shown(indices.slice(0, 2))}, 'i32'), { axis: ${axis >= 3 ? 0 : axis < -Math.min(3, list.length) ? 0 : axis} })`,
      ),
    ),
  anyShape.chain((list) =>
    fc
      .tuple(axisOf(list), fc.boolean(), fc.constantFrom('argMax', 'argMin'))
      .map(([axis, keep, name]) => `${name}(${shown(list)}, { axis: ${axis}, keepDims: ${keep} })`),
  ),
  anyShape.map((list) => `argMax(${shown(list)})`),
  anyShape.chain((list) =>
    fc
      .tuple(axisOf(list), fc.integer({ min: 0, max: 9 }), fc.constantFrom('values', 'indices'))
      .map(([axis, k, part]) => `topK(${shown(list)}, ${k}, { axis: ${axis} }).${part}`),
  ),
  fc
    .tuple(anyShape, anyShape, small)
    .map(([list, lead, depth]) => `gatherNd(${shown(list)}, cast(${shown([...lead.slice(1), depth])}, 'i64'))`),
  anyShape.chain((list) =>
    axisOf([...list, 1]).map((axis) => `oneHot(cast(${shown(list)}, 'i32'), 7, { axis: ${axis}, dtype: 'bool' })`),
  ),
  anyShape.map((list) => `gatherElements(${shown(list)}, cast(${shown(list)}, 'i8'))`),
  fc
    .tuple(small, small, shape(2), windowOptions, small, fc.integer({ min: 0, max: 2 }))
    .map(
      ([n, c, [h, w], { a, b, text }, out, extra]) =>
        `convTranspose2d(${shown([n, c, h!, w!])}, ${shown([c, out, a.kernel, b.kernel])}, undefined, { ${text}, outputPadding: ${extra} })`,
    ),
  fc
    .tuple(small, small, extent, small, small)
    .map(
      ([n, c, l, k, groups]) =>
        `convTranspose1d(${shown([n, c * groups, l])}, ${shown([c * groups, 2, k])}, undefined, { groups: ${groups} })`,
    ),
  fc.tuple(shape(3), small).map(([[d, h, w], k]) => `maxPool3d(${shown([1, 2, d!, h!, w!])}, ${k}, { padding: 1 })`),
  fc.tuple(shape(2), small).map(([[h, w], k]) => `lpPool2d(${shown([1, 2, h!, w!])}, ${k}, { p: 3 })`),
  fc
    .tuple(shape(4), anyShape)
    .map(([[n, c, h, w], places]) => `gridSample(${shown([n!, c!, h!, w!])}, ${shown([n!, ...places, 2])}, { mode: 'cubic' })`),
  fc.tuple(small, shape(3)).map(([n, [d, h, w]]) => `affineGrid(${shown([n, 3, 4])}, [${d}, ${h}, ${w}])`),
  fc
    .tuple(shape(4), small, small, small)
    .map(([list, count, a, b]) => `roiAlign(${shown(list)}, ${shown([count, 4])}, cast(${shown([count])}, 'i32'), [${a}, ${b}])`),
  fc.tuple(small, small, shape(3)).map(([n, c, [d, h, w]]) => `adaptiveMaxPool3d(${shown([n, c, d!, h!, w!])}, [2, 3, 1])`),
  fc.tuple(anyShape, small).map(([list, size]) => `determinant(${shown([...list, size, size])})`),
  fc.tuple(small, small).map(([n, c]) => `maxUnpool(${shown([n, c])}, cast(${shown([n, c])}, 'i64'), [${n}, ${c}, 5])`),
  small.map((n) => `mul(${shown([2, n])}, hannWindow(${n}))`),
  fc
    .tuple(small, extent, shape(2))
    .map(([parts, part, list]) => `split(${shown([...list, part * parts])}, ${parts}, { axis: -1 })[0]!`),
)

/** The call made at run time; its type in text, or undefined when the op refuses it. */
function inferred(text: string): string | undefined {
  const tracer = createTracer()
  let count = 0
  const input = (...dimensions: number[]) =>
    tensorOf(tracer.builder.input(`input${count++}`, { dtype: 'f32', shape: dimensions }))
  const names = Object.keys(glowplug)
  const body = new Function(...names, 'input', `return ${text.replaceAll('!', '').replace(/\$\[([^\]]*)\]/g, 'input($1)')}`)
  try {
    const { dtype, shape } = withTracer(tracer, () => body(...Object.values(glowplug), input)) as glowplug.Tensor
    return `Tensor<'${dtype}', [${shape.join(', ')}]>`
  } catch (error) {
    if (error instanceof ModelProblem) return undefined
    throw error
  }
}

test('BP-01: the editor and the build agree about the shapes of random calls', () => {
  const calls = [...new Set(fc.sample(call, { seed: 3, numRuns: 620 }))]
  const accepted = calls.flatMap((text) => {
    const type = inferred(text)
    return type ? [{ text, type }] : []
  })
  assert.ok(accepted.length > 250, `${accepted.length} of ${calls.length} calls are valid`)
  const source = `
    import { ${Object.keys(glowplug)
      .filter((name) => accepted.some(({ text }) => text.includes(`${name}(`)))
      .join(', ')}, type Tensor } from '../../dsl/index.ts'
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
    /** Where the editor knows nothing, what the build knows. */
    type Completed<T, S> = 0 extends 1 & T ? S : any[] extends T ? S : { [K in keyof T]: 0 extends 1 & T[K] ? S[K & keyof S] : T[K] }
    declare function input<S extends number[]>(...shape: S): Tensor<'f32', S>
    declare function check<W extends Tensor>(): { of<X extends Tensor>(value: X, ...agree: Same<X['dtype'], W['dtype']> extends true ? Same<Completed<X['shape'], W['shape']>, W['shape']> extends true ? [] : [X] : [X]): void }
    ${accepted.map(({ text, type }) => `check<${type}>().of(${text.replace(/\$\[([^\]]*)\]/g, 'input($1)')})`).join('\n')}
  `
  const name = join(root, 'test/dsl/generated.virtual.ts')
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (file) => file === name || fileExists(file)
  host.readFile = (file) => (file === name ? source : readFile(file))
  host.getSourceFile = (file, ...rest) =>
    file === name ? ts.createSourceFile(file, source, ts.ScriptTarget.ES2023) : getSourceFile(file, ...rest)
  const program = ts.createProgram([name], options, host)
  const file = program.getSourceFile(name)!
  const lines = source.split('\n')
  const wrong = program
    .getSemanticDiagnostics(file)
    .map(
      ({ start, messageText }) =>
        `${lines[file.getLineAndCharacterOfPosition(start!).line]!.trim()}\n  ${ts.flattenDiagnosticMessageText(messageText, '\n').slice(0, 300)}`,
    )
  assert.equal(wrong, [])

  const checker = program.getTypeChecker()
  const arguments_ = file.statements.flatMap((statement) =>
    ts.isExpressionStatement(statement) && ts.isCallExpression(statement.expression) ? [statement.expression.arguments[0]!] : [],
  )
  assert.is(arguments_.length, accepted.length)
  const open = arguments_.filter((value) => /any/.test(checker.typeToString(checker.getTypeAtLocation(value))))
  assert.ok(
    open.length < accepted.length * 0.1,
    `${open.length} of ${accepted.length} shapes are not fully known: ${open
      .slice(0, 9)
      .map((value) => value.getText(file))
      .join('\n')}`,
  )
})

test.run()
