/** Why operators of the standard are not imported. */
const text = 'works on strings: compute on text before the model, in TypeScript'
const random = 'draws random numbers: pass them as an input'
const maps = 'works on maps or strings: compute it in TypeScript'

export const reasons: Readonly<Record<string, string>> = {
  Bernoulli: random,
  ImageDecoder: 'decodes image files: decode before the model',
  Multinomial: random,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  RegexFullMatch: text,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  'ai.onnx.ml:CastMap': maps,
  'ai.onnx.ml:CategoryMapper': maps,
  'ai.onnx.ml:DictVectorizer': maps,
}

/** What of an operator is left out, beside what its rule says when it meets it. */
export const partial: Readonly<Record<string, string>> = {
  BatchNormalization: 'also with training_mode, which is a plain function of its inputs',
  Dropout: 'gives its input through; training_mode with a ratio above 0 is random',
  TfIdfVectorizer: 'of numbered words',
  Optional: 'vanishes at import',
  OptionalGetElement: 'vanishes at import',
  OptionalHasElement: 'vanishes at import',
  SequenceAt: 'positions known at import; sequences vanish',
  SequenceConstruct: 'vanishes at import',
  SequenceEmpty: 'vanishes at import',
  SequenceErase: 'positions known at import; sequences vanish',
  SequenceInsert: 'positions known at import; sequences vanish',
  SequenceLength: 'known at import',
  SequenceMap: 'unrolled at import',
  SplitToSequence: 'lengths known at import; sequences vanish',
  ConcatFromSequence: 'sequences vanish at import',
  'ai.onnx.ml:LabelEncoder': 'keys and values that are numbers',
  'ai.onnx.ml:OneHotEncoder': 'categories that are numbers',
  'ai.onnx.ml:ZipMap': 'its map becomes columns in the order of the labels, which a note says',
  'ai.onnx.ml:LinearClassifier': 'labels that are texts become their places in the list',
  'ai.onnx.ml:TreeEnsembleClassifier': 'labels that are texts become their places in the list',
}

const single = 'its data carries the noise of single precision where the exact result is 0'
const older = 'its data maps coordinates by the scale and not by the corners; onnxruntime computes what is computed here'
const mixed = 'the graph divides 16-bit floats by an f32 constant, which the standard forbids'

/** Why cases of the backend node tests that are in scope do not pass. */
export const misses: Readonly<Record<string, string>> = {
  test_celu_bfloat16_expanded: mixed,
  test_celu_float16_expanded: mixed,
  test_dft_inverse: single,
  test_dft_inverse_opset19: single,
  test_maxunpool_export_with_output_shape:
    'its data reads indices as places in an image of the size without output_shape; onnxruntime computes what is computed here',
  test_resize_downsample_scales_cubic_align_corners: older,
  test_resize_downsample_scales_linear_align_corners: older,
}
