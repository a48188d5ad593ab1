// Compiles the models of a workload at one level, and writes them as ONNX files for the peer.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { workOf } from '../../../compiler/cost/index.ts'
import { inputName } from '../../../compiler/graph/index.ts'
import { exportOnnx } from '../../../dsl/onnx/index.ts'
import { writeBundle } from '../../../plugin/bundle/write.ts'
import { compile } from '../../../plugin/compile.ts'
import type { PreparedModel } from '../drivers/driver.ts'
import { initializersAsConstants } from '../onnx.ts'
import type { OurTarget } from '../ours.ts'
import type { ModelSource, Workload } from '../workloads.ts'
import { answer, progress } from './answer.ts'
import { graphOf, readModelFile, targetAt } from './models.ts'

export interface PrepareTask {
  readonly workload: Workload
  readonly target: OurTarget
  readonly level?: string | undefined
  readonly folder: string
  /** Root of the repository. */
  readonly root: string
}

async function prepareModel({ workload, target, level, folder, root }: PrepareTask, source: ModelSource, index: number) {
  if (workload.zoo) {
    progress(`weights of ${workload.zoo}`)
    const { writeModel } = await import(pathToFileURL(join(root, 'fixtures/zoo/write.mjs')).href)
    await writeModel(workload.zoo)
  }
  progress(`reading ${source.file}`)
  const model = await readModelFile(join(root, source.file))
  const graph = graphOf(model, source.entry)
  progress(`compiling ${model.name}`)
  const compiled = await compile(model, { target: [await targetAt(target, level, workload.compile)] })
  const bundle = join(folder, `bundle${index}`)
  await writeBundle(compiled, bundle)
  progress(`writing ${model.name} for the peer`)
  const onnx = join(folder, `model${index}.onnx`)
  const exported = source.onnx
    ? initializersAsConstants(readFileSync(join(root, source.onnx)))
    : exportOnnx(model, source.entry === undefined ? {} : { entry: source.entry })
  writeFileSync(onnx, exported)
  if (source.external) copyFileSync(join(root, source.external), join(folder, basename(source.external)))
  const sizeOf = (path: string) => statSync(path).size
  const bundleBytes = readdirSync(bundle).reduce((sum, file) => sum + sizeOf(join(bundle, file)), 0)
  // Else numbers of f32 would pass for those of bf16.
  if (workload.compile?.precision && bundleBytes > 0.75 * sizeOf(onnx))
    throw new Error(
      `the bundle is as large as weights of f32: the compiler did not heed precision '${workload.compile.precision}'`,
    )
  return {
    bundle,
    onnx,
    inputs: graph.inputs.map((node) => ({ name: inputName(node), dtype: node.type.dtype, shape: node.type.shape })),
    outputs: graph.outputs.map(({ name, value }) => ({ name, dtype: value.type.dtype, shape: value.type.shape })),
    operations: graph.nodes.reduce((sum, node) => sum + workOf(node).operations, 0),
    bundleBytes,
    onnxBytes: sizeOf(onnx),
    toolchain: Object.values(compiled.manifest.toolchain).join('; '),
  } satisfies PreparedModel
}

await answer(async (task: PrepareTask): Promise<readonly PreparedModel[]> => {
  rmSync(task.folder, { recursive: true, force: true })
  mkdirSync(task.folder, { recursive: true })
  const prepared: PreparedModel[] = []
  for (const [index, source] of task.workload.models.entries()) prepared.push(await prepareModel(task, source, index))
  return prepared
})
