/** What the editor knows of layers made of many operations. Compiled by `tsc`, never run. */
import {
  attention,
  attentionScores,
  depthToSpace,
  einsum,
  gru,
  localResponseNorm,
  lstm,
  type Rank,
  rnn,
  rotaryEmbedding,
  spaceToDepth,
  type Tensor,
  tensor,
} from 'glowplug'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <A>() => ({ of: <B>(_: B, ..._same: Same<A, B> extends true ? [] : [never]) => {} })
declare function value<S extends number[]>(...shape: S): Tensor<'f32', S>
declare const length: number

const layer = lstm(value(7, 2, 4), { input: value(2, 20, 4), recurrent: value(2, 20, 5) }, { direction: 'bidirectional' })
is<Tensor<'f32', [7, 2, 2, 5]>>().of(layer.output)
is<Tensor<'f32', [2, 2, 5]>>().of(layer.hidden)
is<Tensor<'f32', [2, 2, 5]>>().of(layer.cell)
const flat = gru(value(2, 7, 4), { input: value(15, 4), recurrent: value(15, 5), bias: value(30) }, { batchFirst: true })
is<Tensor<'f32', [2, 7, 5]>>().of(flat.output)
is<Tensor<'f32', [2, 5]>>().of(flat.hidden)
const first = rnn(
  value(2, 7, 4),
  { input: value(1, 5, 4), recurrent: value(1, 5, 5) },
  { batchFirst: true, activations: ['relu'] },
)
is<Tensor<'f32', [2, 7, 1, 5]>>().of(first.output)
is<Tensor<'f32', [2, 1, 5]>>().of(first.hidden)
const open = lstm(tensor('f32', [length, 2, 4]), { input: value(1, 20, 4), recurrent: value(1, 20, 5) })
is<Tensor<'f32', [any, 1, 2, 5]>>().of(open.output)
declare const unknown: Tensor<'f32'>
is<Tensor<'f32', any>>().of(lstm(unknown, { input: unknown, recurrent: unknown }).output)
// @ts-expect-error a simple layer has no cell
layer.cell = first.cell
// @ts-expect-error there is no such order of gates
lstm(value(7, 2, 4), { input: value(20, 4), recurrent: value(20, 5) }, { gates: 'zrh' })
// @ts-expect-error a misspelled parameter
gru(value(7, 2, 4), { input: value(15, 4), recurent: value(15, 5) })

is<Tensor<'f32', [2, 3, 5]>>().of(einsum('bij,bjk->bik', [value(2, 3, 4), value(2, 4, 5)]))
is<Tensor<'f32', [2, 12, 128, 64]>>().of(einsum('b h i d -> b h i d', [value(2, 12, 128, 64)]))
is<Tensor<'f32', [any, 3]>>().of(einsum('ij,kj->ij', [value(1, 3), value(2, 3)]))
is<Tensor<'f32', []>>().of(einsum('ii->', [value(3, 3)]))
is<Tensor<'f32', [3]>>().of(einsum('ii->i', [value(3, 3)]))
is<Tensor<'f32', any>>().of(einsum('...i->i...', [value(3, 4)]))
is<Tensor<'f32', any>>().of(einsum('ij,jk', [value(3, 4), value(4, 5)]))
is<Tensor<'f32', [any, 4]>>().of(einsum('ij->ij', [tensor('f32', [length, 4])]))

is<Tensor<'f32', [2, 8, 5, 32]>>().of(attention(value(2, 8, 5, 64), value(2, 2, 9, 64), value(2, 2, 9, 32)))
is<Tensor<'f32', [2, 5, any]>>().of(attention(value(2, 5, 512), value(2, 9, 512), value(2, 9, 512), { heads: 8 }))
is<Tensor<'f32', [2, 8, 5, 9]>>().of(attentionScores(value(2, 8, 5, 64), value(2, 8, 9, 64), { stage: 'masked' }))
is<Tensor<'f32', [2, 8, 5, 64]>>().of(rotaryEmbedding(value(2, 8, 5, 64), value(2, 5, 32), value(2, 5, 32)))
is<Tensor<'f32', [1, 4, 12, 16]>>().of(depthToSpace(value(1, 16, 6, 8), 2))
is<Tensor<'f32', [1, 16, 6, 8]>>().of(spaceToDepth(value(1, 4, 12, 16), 2, { mode: 'CRD' }))
is<Tensor<'f32', [1, 4, 12, 16]>>().of(localResponseNorm(value(1, 4, 12, 16), { size: 5 }))
declare const image: Tensor<'f32', Rank<4>>
is<Tensor<'f32', Rank<4>>>().of(depthToSpace(image, 2))
// @ts-expect-error "depthToSpace: input must be [batch, channels, height, width], got [16, 6, 8]"
depthToSpace(value(16, 6, 8), 2)
// @ts-expect-error "attention: input is i32; convert it with cast()"
attention(tensor('i32', [2, 8, 5, 64]), value(2, 8, 9, 64), value(2, 8, 9, 64))
