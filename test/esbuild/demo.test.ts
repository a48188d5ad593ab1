import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle, cleanUp, emptyFolder, repository, runAlone } from './support.ts'

interface Case {
  readonly id: string
  readonly inputs: readonly { readonly file: string }[]
  readonly source_input: { readonly width: number; readonly height: number }
  readonly semantic?: { readonly faces?: readonly { readonly score: number; readonly box: readonly number[] }[] }
}

const fixture = join(repository, 'fixtures/ultraface-rfb-320')

test('the demo app finds the recorded faces, from its output folder alone', async () => {
  const out = emptyFolder()
  await bundle(repository, { entryPoints: ['fixtures/demo/app/detect.ts'], outdir: out, outExtension: { '.js': '.mjs' } })
  const { cases } = JSON.parse(readFileSync(join(fixture, 'index.json'), 'utf8')) as { cases: readonly Case[] }
  const photographs = cases.filter(({ semantic }) => semantic?.faces)
  assert.equal(
    photographs.map(({ semantic }) => semantic!.faces!.length),
    [5, 67],
  )
  const images = photographs.map(
    ({ inputs, source_input: { width, height } }) => `${join(fixture, inputs[0]!.file)}:${width}x${height}`,
  )
  const lines = runAlone(out, 'detect.mjs', images).trim().split('\n')
  for (const [i, { id, semantic }] of photographs.entries()) {
    const { faces, p50 } = JSON.parse(lines[i]!)
    assert.is(faces.length, semantic!.faces!.length, id)
    for (const [j, expected] of semantic!.faces!.entries()) {
      // Recorded with four digits, and boxes with one.
      assert.ok(Math.abs(faces[j].score - expected.score) < 1e-4, `${id} score ${j}`)
      for (const [k, edge] of expected.box.entries())
        assert.ok(Math.abs(faces[j].box[k] - edge) < 0.11, `${id} face ${j}: ${faces[j].box} is not ${expected.box}`)
    }
    assert.ok(p50 > 0)
  }
})

test('the faces are drawn on the photograph', async () => {
  assert.ok(existsSync(join(fixture, 'image-3.jpg')))
  const { drawBoxes } = await import('../../fixtures/demo/draw.mjs')
  const { default: jpeg } = await import('jpeg-js')
  const picture = readFileSync(join(fixture, 'image-3.jpg'))
  const drawn = jpeg.decode(
    drawBoxes(picture, [
      [100, 50, 200, 150],
      [-20, 700, 2000, 900],
    ]),
  )
  const before = jpeg.decode(picture)
  assert.equal([drawn.width, drawn.height], [before.width, before.height])
  const green = ({ data, width }: { data: Uint8Array; width: number }, x: number, y: number) =>
    data[(y * width + x) * 4 + 1]! - data[(y * width + x) * 4]!
  for (const [x, y] of [
    [150, 50],
    [150, 150],
    [100, 100],
    [200, 100],
    [500, 700],
  ] as const)
    assert.ok(green(drawn, x, y) > 100, `${x}, ${y}`)
  assert.ok(Math.abs(green(drawn, 150, 100) - green(before, 150, 100)) < 30, 'the middle of a box stays')
})

test.after(cleanUp)
test.run()
