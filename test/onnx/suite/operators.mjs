// Operators that the suite scores: what the language has. Others are counted apart.
export const operators = new Set(
  `
  Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos Cosh
  Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min
  Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh
  ThresholdedRelu Where Xor
  ArgMax ArgMin CumProd CumSum GatherElements GatherND Hardmax OneHot Scatter ScatterElements ScatterND TopK Trilu
  BitCast Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten Gather Identity If Pad Range Reshape Resize Shape Size Slice
  SpaceToDepth Split Squeeze Tile Transpose Unsqueeze Upsample
  ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare LpNormalization
  Attention Conv ConvInteger ConvTranspose DequantizeLinear DynamicQuantizeLinear Einsum Gemm GRU LSTM MatMul MatMulInteger QLinearConv
  QLinearMatMul QuantizeLinear RNN RotaryEmbedding
  AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool
  BatchNormalization GroupNormalization InstanceNormalization LayerNormalization LogSoftmax LRN MeanVarianceNormalization
  RMSNormalization Softmax
  Compress Loop NonMaxSuppression NonZero Scan Unique
  NegativeLogLikelihoodLoss OptionalGetElement OptionalHasElement ReverseSequence SoftmaxCrossEntropyLoss TensorScatter TfIdfVectorizer
  ai.onnx.ml:ArrayFeatureExtractor ai.onnx.ml:Binarizer ai.onnx.ml:LabelEncoder ai.onnx.ml:TreeEnsemble
  BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT
  AffineGrid CenterCropPad Col2Im DeformConv Det GridSample MaxRoiPool MaxUnpool RoiAlign
  `
    .split(/\s+/)
    .filter((name) => name !== ''),
)

/** Versions of the default domain that are promised. */
export const firstOpset = 1
export const lastOpset = 26
