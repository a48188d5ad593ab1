import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Extraction, type ExtractOptions, extractModule } from '../../plugin/extract/index.ts'
import { onlyGraph } from '../support/graphs.ts'

/** Files by path, in a folder of their own; `m.model.ts` is the model file. */
export type Files = Readonly<Record<string, string>>

export async function extractProject(
  files: Files,
  options: ExtractOptions = {},
): Promise<Extraction & { readonly root: string }> {
  const root = mkdtempSync(join(tmpdir(), 'glowplug-extract-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    return { ...(await extractModule(join(root, 'm.model.ts'), { root, ...options })), root }
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** A model whose input has the shape that `shape` evaluates to, which makes any list of numbers visible from outside. */
export const shapeModel = (imports: string, shape: string, before = ''): string =>
  `import { model, relu, tensor } from 'glowplug'
${imports}
${before}
export default model({ name: 'm', inputs: { x: tensor('f32', ${shape}) }, forward: ({ x }) => ({ y: relu(x) }) })
`

export const shapeOf = ({ models, diagnostics }: Extraction): string =>
  diagnostics.length > 0
    ? diagnostics.map((d) => `${d.code} ${d.span?.file}:${d.span?.line}:${d.span?.column}`).join(', ')
    : models.map(({ model }) => onlyGraph(model).inputs[0]!.type.shape.join(' ')).join(' | ')
