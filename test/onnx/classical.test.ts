import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementsOf, ModelProblem } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { onnxModel, onnxNode, type Written } from './build.ts'

const ml = (op: string, inputs: string, outputs: string, attributes: Record<string, Written>) =>
  onnxNode(`ai.onnx.ml.${op}`, inputs, outputs, attributes)

test('labels that are texts become their places, and a map of probabilities its columns, which notes say', async () => {
  const nodes = [
    ml('LinearClassifier', 'x', 'label, scores', {
      coefficients: { floats: [1, 0, 0, 1, -1, -1] },
      intercepts: { floats: [0, 0, 0] },
      classlabels_strings: { strings: ['cat', 'dog', 'none'] },
      post_transform: 'SOFTMAX',
    }),
    ml('ZipMap', 'scores', 'map', { classlabels_strings: { strings: ['cat', 'dog', 'none'] } }),
  ]
  const imported = await importGraph(onnxModel({ inputs: { x: ['f32', [3, 2]] }, nodes, outputs: ['label', 'map'] }))
  const { graph } = imported.graph.entries[0]!
  const ran = runGraph(graph, { x: new Uint8Array(new Float32Array([2, 1, 1, 2, -1, -1]).buffer) })
  const labels = elementsOf('i64', ran.label!)
  assert.equal(
    [0, 1, 2].map((i) => labels.get(i)),
    [0, 1, 2],
  )
  assert.equal([...graph.outputs[1]!.value.type.shape], [3, 3])
  assert.ok(
    imported.notes.some((note) => note.includes('labels are places in [cat, dog, none]')),
    imported.notes.join('; '),
  )
  assert.ok(imported.notes.some((note) => note.includes("the columns of 'map' are the classes [cat, dog, none]")))
})

const tree = (changes: Record<string, Written>): Record<string, Written> => ({
  n_targets: 1,
  nodes_treeids: [0, 0, 0],
  nodes_nodeids: [0, 1, 2],
  nodes_featureids: [1, 0, 0],
  nodes_modes: { strings: ['BRANCH_LEQ', 'LEAF', 'LEAF'] },
  nodes_values: { floats: [0.5, 0, 0] },
  nodes_truenodeids: [1, 0, 0],
  nodes_falsenodeids: [2, 0, 0],
  target_treeids: [0, 0],
  target_nodeids: [1, 2],
  target_ids: [0, 0],
  target_weights: { floats: [3, 4] },
  ...changes,
})
const forest = (changes: Record<string, Written>) =>
  importGraph(
    onnxModel({ inputs: { x: ['f32', [2, 2]] }, nodes: [ml('TreeEnsembleRegressor', 'x', 'y', tree(changes))], outputs: ['y'] }),
  )

test('a tree of a file', async () => {
  const { graph } = (await forest({})).graph.entries[0]!
  const { y } = runGraph(graph, { x: new Uint8Array(new Float32Array([9, 0.5, 9, 0.6]).buffer) })
  assert.equal([...new Float32Array(y!.slice().buffer)], [3, 4])
})

for (const [what, changes, message] of [
  ['a branch to nowhere', { nodes_truenodeids: [7, 0, 0] }, /node 7 of tree 0 does not exist/],
  ['a way that never ends', { nodes_truenodeids: [0, 0, 0] }, /lead back to where they were/],
  ['a feature that is not there', { nodes_featureids: [2, 0, 0] }, /a feature that an input of 2 does not have/],
  ['a target that is not there', { target_ids: [0, 1] }, /target 1 is outside 1/],
  ['lists of other lengths', { nodes_featureids: [1, 0] }, /lists of nodes differ in length/],
  ['an unknown mode', { nodes_modes: { strings: ['BRANCH_ODD', 'LEAF', 'LEAF'] } }, /mode 'BRANCH_ODD' is unknown/],
] as const)
  test(`${what} is an error of the import`, async () => {
    try {
      await forest(changes)
      assert.unreachable()
    } catch (error) {
      assert.instance(error, ModelProblem)
      assert.match((error as Error).message, message)
    }
  })

test.run()
