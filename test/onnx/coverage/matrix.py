"""One-node models for each operator and element type of the ONNX standard, in the layout of the backend node tests.

python3 test/onnx/coverage/matrix.py <folder>    (python3 with onnx, numpy and ml_dtypes)
node test/onnx/suite.mjs <folder> --all --target native --json native.json

What is expected is what onnx.reference computes, in f64 rounded to the type where it does not compute in the type itself.
"""
import json, os, shutil, sys, warnings
import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

warnings.filterwarnings('ignore')
np.seterr(all='ignore')
DT = {'f32': np.float32, 'f64': np.float64, 'f16': np.float16, 'bf16': ml_dtypes.bfloat16, 'i8': np.int8, 'u8': np.uint8, 'i16': np.int16,
      'u16': np.uint16, 'i32': np.int32, 'u32': np.uint32, 'i64': np.int64, 'u64': np.uint64, 'bool': np.bool_}
NAMES = {'float': 'f32', 'double': 'f64', 'float16': 'f16', 'bfloat16': 'bf16', 'int8': 'i8', 'uint8': 'u8', 'int16': 'i16', 'uint16': 'u16',
         'int32': 'i32', 'uint32': 'u32', 'int64': 'i64', 'uint64': 'u64', 'bool': 'bool'}
OPSET = 23
root = os.path.join(sys.argv[1], 'node')
rng = np.random.default_rng(7)


def x(dt, *shape, lo=-4.0, hi=4.0):
    """Values that every operator of the type takes: floats between two limits, small integers, truth values."""
    if dt == 'bool':
        return rng.random(shape) < 0.5
    if dt[0] == 'f' or dt == 'bf16':
        return (rng.random(shape) * (hi - lo) + lo).astype(DT[dt])
    return rng.integers(0 if dt[0] == 'u' else max(int(lo), -5), max(int(hi), 1) + 1, shape).astype(DT[dt])


def pos(dt, *shape):
    return x(dt, *shape, lo=0.1, hi=4.0) if dt != 'bool' else x(dt, *shape)


i64 = lambda *v: np.array(v, np.int64)
T = {}  # operator: (inputs by type, attributes, places of inputs that are constants)


def op(names, make, consts=(), **attrs):
    for name in names.split():
        T[name] = (make, attrs, consts)


same = lambda dt: [x(dt, 3, 4)]
two = lambda dt: [x(dt, 3, 4), x(dt, 4)]
op('Abs Neg Sign Floor Ceil Round Exp Sin Cos Atan Sinh Asinh Erf Tanh Sigmoid IsNaN IsInf Not Identity BitwiseNot Relu LeakyRelu Elu Celu Selu Gelu '
   'ThresholdedRelu Shrink Softplus Softsign Mish HardSigmoid HardSwish Swish Size Shape Flatten Softmax LogSoftmax Hardmax MeanVarianceNormalization', same)
op('Tan', lambda dt: [x(dt, 3, 4, lo=-1, hi=1)])
op('Cosh', lambda dt: [x(dt, 3, 4, lo=-2, hi=2)])
op('Asin Acos Atanh', lambda dt: [x(dt, 3, 4, lo=-0.9, hi=0.9)])
op('Sqrt Reciprocal Log', lambda dt: [pos(dt, 3, 4)])
op('Acosh', lambda dt: [x(dt, 3, 4, lo=1.1, hi=5)])
op('MeanVarianceNormalization', lambda dt: [x(dt, 2, 3, 4, 4)])
op('Add Sub Mul Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor BitwiseAnd BitwiseOr BitwiseXor Min Max Sum Mean PRelu', two)
nonzero = lambda a: np.where(a == 0, np.ones((), a.dtype), a)
op('Div Mod', lambda dt: [x(dt, 3, 4), nonzero(x(dt, 4))])
op('Pow', lambda dt: [pos(dt, 3, 4), np.array([0, 1, 2, 3]).astype(DT[dt])])
op('BitShift', lambda dt: [x(dt, 3, 4), np.array([0, 1, 2, 3]).astype(DT[dt])], direction='LEFT')
op('Where', lambda dt: [x('bool', 3, 1), x(dt, 3, 4), x(dt, 4)])
op('Clip', lambda dt: [x(dt, 3, 4), np.array(1).astype(DT[dt]), np.array(3).astype(DT[dt])], (1, 2))
op('Cast CastLike', lambda dt: [x(dt, 3, 4)], to=1)
T['CastLike'] = (lambda dt: [x(dt, 3, 4), x('f32', 1)], {}, ())
op('ArgMax ArgMin', lambda dt: [x(dt, 3, 5)], axis=1)
op('TopK', lambda dt: [x(dt, 3, 5), i64(2)], (1,))
op('CumSum', lambda dt: [x(dt, 3, 4), np.array(1, np.int64)], (1,))
op('Concat', lambda dt: [x(dt, 3, 4), x(dt, 2, 4)], axis=0)
op('Gather', lambda dt: [x(dt, 5, 3), i64(4, 0, 2)])
op('GatherElements', lambda dt: [x(dt, 3, 3), np.array([[0, 2, 1], [1, 1, 0]])], axis=0)
op('GatherND', lambda dt: [x(dt, 3, 4), np.array([[0, 1], [2, 3]])])
op('ScatterElements Scatter', lambda dt: [x(dt, 3, 4), np.array([[0, 2, 1, 0]]), x(dt, 1, 4)])
op('ScatterND', lambda dt: [x(dt, 4, 3), np.array([[1], [3]]), x(dt, 2, 3)])
op('OneHot', lambda dt: [np.array([0, 2, 1]).astype(DT[dt]), np.array(4, np.int64), np.array([0, 1], np.float32)], (1,))
op('Trilu', lambda dt: [x(dt, 4, 4)])
op('Expand', lambda dt: [x(dt, 3, 1), i64(2, 3, 4)], (1,))
op('Tile', lambda dt: [x(dt, 2, 3), i64(2, 2)], (1,))
op('Pad', lambda dt: [x(dt, 3, 4), i64(1, 0, 0, 2)], (1,))
op('Reshape', lambda dt: [x(dt, 3, 4), i64(2, 6)], (1,))
op('Slice', lambda dt: [x(dt, 4, 5), i64(1), i64(4), i64(1)], (1, 2, 3))
op('Split', lambda dt: [x(dt, 4, 3), i64(1, 3)], (1,))
op('Squeeze', lambda dt: [x(dt, 3, 1, 4), i64(1)], (1,))
op('Unsqueeze', lambda dt: [x(dt, 3, 4), i64(1)], (1,))
op('Transpose', lambda dt: [x(dt, 3, 4)])
op('ConstantOfShape', lambda dt: [i64(2, 3)], (0,))
op('EyeLike', lambda dt: [x(dt, 3, 4)])
op('Range', lambda dt: [np.array(1).astype(DT[dt]), np.array(7).astype(DT[dt]), np.array(2).astype(DT[dt])], (0, 1, 2))
op('Dropout', lambda dt: [x(dt, 3, 4)])
op('DepthToSpace SpaceToDepth', lambda dt: [x(dt, 1, 4, 2, 2)], blocksize=2)
op('ReverseSequence', lambda dt: [x(dt, 4, 3), i64(2, 4, 3)])
op('Compress', lambda dt: [x(dt, 4, 3), np.array([True, False, True, True])], (1,), axis=0)
for name in 'ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare'.split():
    op(name, lambda dt: [x(dt, 3, 4), i64(1)], (1,))
op('ReduceLogSum ReduceLogSumExp', lambda dt: [pos(dt, 3, 4), i64(1)], (1,))
op('LpNormalization', lambda dt: [x(dt, 3, 4)])
op('MatMul', lambda dt: [x(dt, 3, 5), x(dt, 5, 4)])
op('Gemm', lambda dt: [x(dt, 3, 5), x(dt, 5, 4), x(dt, 4)])
op('Einsum', lambda dt: [x(dt, 3, 5), x(dt, 5, 4)], equation='ij,jk->ik')
op('Det', lambda dt: [x(dt, 2, 3, 3)])
op('Conv', lambda dt: [x(dt, 1, 2, 6, 6), x(dt, 3, 2, 3, 3), x(dt, 3)])
op('ConvTranspose', lambda dt: [x(dt, 1, 2, 4, 4), x(dt, 2, 3, 3, 3)], strides=[2, 2])
op('ConvInteger', lambda dt: [x(dt, 1, 2, 5, 5), x(dt, 3, 2, 3, 3)])
op('MatMulInteger', lambda dt: [x(dt, 3, 5), x(dt, 5, 4)])
op('MaxPool', lambda dt: [x(dt, 1, 2, 6, 6)], kernel_shape=[2, 2], strides=[2, 2])
op('AveragePool LpPool', lambda dt: [x(dt, 1, 2, 6, 6)], kernel_shape=[2, 2])
op('GlobalAveragePool GlobalMaxPool GlobalLpPool', lambda dt: [x(dt, 1, 2, 5, 5)])
op('BatchNormalization', lambda dt: [x(dt, 2, 3, 4), x(dt, 3), x(dt, 3), x(dt, 3), pos(dt, 3)])
op('InstanceNormalization', lambda dt: [x(dt, 2, 3, 4, 4), x(dt, 3), x(dt, 3)])
op('GroupNormalization', lambda dt: [x(dt, 2, 4, 3, 3), x(dt, 4), x(dt, 4)], num_groups=2)
op('LayerNormalization', lambda dt: [x(dt, 3, 6), x(dt, 6), x(dt, 6)])
op('RMSNormalization', lambda dt: [x(dt, 3, 6), x(dt, 6)])
op('LRN', lambda dt: [x(dt, 1, 5, 3, 3)], size=3)
op('Resize', lambda dt: [x(dt, 1, 1, 3, 4), np.zeros(0, np.float32), np.zeros(0, np.float32), i64(1, 1, 6, 8)], (1, 2, 3), mode='nearest')
op('QuantizeLinear', lambda dt: [x(dt, 3, 4), np.array(0.1, DT[dt] if dt[0] in 'fb' else np.float32), np.array(100, np.uint8)], (1, 2))
op('DequantizeLinear', lambda dt: [x(dt, 3, 4), np.array(0.25, np.float32), np.array(1).astype(DT[dt])], (1, 2))
op('DynamicQuantizeLinear', lambda dt: [x(dt, 3, 4)])
for name, gates in (('RNN', 1), ('GRU', 3), ('LSTM', 4)):
    op(name, lambda dt, gates=gates: [x(dt, 3, 2, 4, lo=-1, hi=1), x(dt, 1, gates * 5, 4, lo=-1, hi=1), x(dt, 1, gates * 5, 5, lo=-1, hi=1)], (1, 2), hidden_size=5)
op('NegativeLogLikelihoodLoss', lambda dt: [x(dt, 3, 5), i64(1, 0, 4)])
op('SoftmaxCrossEntropyLoss', lambda dt: [x(dt, 3, 5), i64(1, 0, 4)])
op('TfIdfVectorizer', lambda dt: [np.array([1, 2, 1, 3]).astype(DT[dt])], mode='TF', min_gram_length=1, max_gram_length=1, max_skip_count=0,
   ngram_counts=[0], ngram_indexes=[0, 1, 2], pool_int64s=[1, 2, 3])
op('Attention', lambda dt: [x(dt, 1, 2, 3, 4), x(dt, 1, 2, 5, 4), x(dt, 1, 2, 5, 4)])
op('RotaryEmbedding', lambda dt: [x(dt, 1, 2, 3, 4), x(dt, 3, 2)[None], x(dt, 3, 2)[None]])
op('AffineGrid', lambda dt: [x(dt, 1, 2, 3), i64(1, 1, 3, 4)], (1,))
op('GridSample', lambda dt: [x(dt, 1, 1, 4, 4), x('f32' if dt not in ('f64', 'f16', 'bf16') else dt, 1, 2, 2, 2, lo=-1, hi=1)], mode='nearest')
op('CenterCropPad', lambda dt: [x(dt, 4, 6), i64(3, 8)], (1,))
op('Col2Im', lambda dt: [x(dt, 1, 4, 4), i64(3, 3), i64(2, 2)], (1, 2))
op('DeformConv', lambda dt: [x(dt, 1, 1, 3, 3), x(dt, 1, 1, 2, 2), x(dt, 1, 8, 2, 2, lo=-0.5, hi=0.5)])
op('MaxUnpool', lambda dt: [x(dt, 1, 1, 2, 2), np.array([[[[5, 7], [13, 15]]]])], kernel_shape=[2, 2], strides=[2, 2])
op('RoiAlign', lambda dt: [x(dt, 1, 1, 6, 6), np.array([[0, 0, 4, 4]]).astype(DT[dt]), i64(0)], output_height=2, output_width=2)
op('MaxRoiPool', lambda dt: [x(dt, 1, 1, 6, 6), np.array([[0, 0, 0, 4, 4]]).astype(DT[dt])], pooled_shape=[2, 2])
op('DFT', lambda dt: [x(dt, 1, 8, 1), i64(), np.array(1, np.int64)], (1, 2))
T['DFT'] = (lambda dt: [x(dt, 1, 8, 1)], {'axis': 1}, ())
op('STFT', lambda dt: [x(dt, 1, 16, 1), np.array(4, np.int64), None, np.array(8, np.int64)], (1, 3))
op('HannWindow HammingWindow BlackmanWindow', lambda dt: [np.array(8).astype(DT[dt])], (0,))
op('MelWeightMatrix', lambda dt: [np.array(4).astype(DT[dt]), np.array(16).astype(DT[dt]), np.array(8000).astype(DT[dt]), np.array(10, np.float32), np.array(4000, np.float32)], (0, 1, 2, 3, 4))
op('NonZero', lambda dt: [x(dt, 3, 4)])
op('Unique', lambda dt: [x(dt, 8)])
op('NonMaxSuppression', lambda dt: [np.array([[[0, 0, 1, 1], [0, .1, 1, 1.1], [0, 3, 1, 4]]], np.float32), np.array([[[.9, .75, .6]]], np.float32), i64(3), np.array(.5, np.float32), np.array(0, np.float32)], (2, 3, 4))
op('Bernoulli', lambda dt: [x(dt, 3, 4, lo=0, hi=1)])
op('CumProd', lambda dt: [x(dt, 3, 4), np.array(1, np.int64)], (1,))
op('TensorScatter', lambda dt: [x(dt, 2, 6, 3), x(dt, 2, 2, 3), i64(1, 3)])
op('BitCast', lambda dt: [x(dt, 3, 4)], to=2)


def schema_of(name):
    for version in (OPSET, 26):
        try:
            return onnx.defs.get_schema(name, version, '')
        except Exception:
            pass


def types_of(schema):
    first = schema.inputs[0].type_str if schema.inputs else schema.outputs[0].type_str
    if schema.name == 'Where':
        first = schema.inputs[1].type_str
    if schema.name in ('ConstantOfShape',):
        return []
    if schema.name == 'Constant':
        return []
    for c in schema.type_constraints:
        if c.type_param_str == first:
            return [NAMES[t[7:-1]] for t in c.allowed_type_strs if t.startswith('tensor(') and t[7:-1] in NAMES]
    return [NAMES[first[7:-1]]] if first[7:-1] in NAMES else []


def expected(model, feeds, outs, wide):
    """Types of 16 bits are computed in f32, where the evaluator does, and rounded once."""
    if wide is not None:
        try:
            return ReferenceEvaluator(wide[0]).run(None, wide[1])
        except Exception:
            pass
    return ReferenceEvaluator(model).run(None, feeds)


def build(name, schema, inputs, attrs, consts, dt):
    keep = [f'i{i}' if v is not None else '' for i, v in enumerate(inputs)]
    node = helper.make_node(name, keep, [f'o{i}' for i in range(2 if name == 'Split' else max(1, schema.min_output))], **attrs)
    given = [(k, v) for k, v in zip(keep, inputs) if v is not None]
    graph = helper.make_graph(
        [node], 'g',
        [helper.make_tensor_value_info(k, numpy_helper.from_array(v).data_type, v.shape) for i, (k, v) in enumerate(given) if int(k[1:]) not in consts],
        [helper.make_empty_tensor_value_info(o) for o in node.output],
        [numpy_helper.from_array(v, k) for k, v in given if int(k[1:]) in consts])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', schema.since_version if schema.since_version > OPSET else 9 if name == 'Scatter' else OPSET)], ir_version=10)
    return model, {k: v for k, v in given if int(k[1:]) not in consts}


def main():
    shutil.rmtree(root, ignore_errors=True)
    cells, without = {}, []
    for name, (make, attrs, consts) in sorted(T.items()):
        schema = schema_of(name)
        if name == 'Scatter':
            schema = onnx.defs.get_schema('Scatter', 9, '')
        for dt in types_of(schema):
            attributes = {**attrs}
            if name == 'BitCast':
                attributes['to'] = {1: 2, 2: 4, 4: 6, 8: 7}[np.dtype(DT[dt]).itemsize] if dt not in ('u8', 'u16', 'i32', 'i64') else {1: 3, 2: 5, 4: 12, 8: 13}[np.dtype(DT[dt]).itemsize]
            if name == 'Mod' and (dt[0] == 'f' or dt == 'bf16'):
                attributes['fmod'] = 1
            inputs = make(dt)
            label = f'{name}__{dt}'
            model, feeds = build(name, schema, inputs, attributes, consts, dt)
            wide = None
            if dt in ('f16', 'bf16') and name != 'BitCast':
                up = [v.astype(np.float32) if v is not None and v.dtype == DT[dt] else v for v in inputs]
                wide = build(name, schema, up, attributes, consts, 'f32')
            try:
                out = expected(model, feeds, model.graph.output, wide)
                inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
                out = [np.asarray(o) for o in out]
                for value, info in zip(out, inferred.graph.output):
                    if value.dtype.kind in 'OU': raise TypeError('no tensor')
                kinds = [info.type.tensor_type.elem_type for info in inferred.graph.output]
                if name == 'GroupNormalization':  # whose inference says the type of its statistics
                    kinds = [helper.np_dtype_to_tensor_dtype(np.dtype(DT[dt]))]
                out = [o.astype(helper.tensor_dtype_to_np_dtype(k)) if k and o.dtype != helper.tensor_dtype_to_np_dtype(k) else o for o, k in zip(out, kinds)]
            except Exception as error:
                without.append(f'{label}: {str(error)[:100]!r}')
                continue
            for info, value in zip(model.graph.output, out):
                info.CopyFrom(helper.make_tensor_value_info(info.name, numpy_helper.from_array(value).data_type, None))
            folder = os.path.join(root, label, 'test_data_set_0')
            os.makedirs(folder)
            onnx.save(model, os.path.join(root, label, 'model.onnx'))
            for i, (k, v) in enumerate(feeds.items()):
                open(f'{folder}/input_{i}.pb', 'wb').write(numpy_helper.from_array(np.asarray(v), k).SerializeToString())
            for i, value in enumerate(out):
                open(f'{folder}/output_{i}.pb', 'wb').write(numpy_helper.from_array(value, f'o{i}').SerializeToString())
            cells.setdefault(name, []).append(dt)
    print(f'{sum(map(len, cells.values()))} models of {len(cells)} operators in {root}')
    if without:
        print(f'{len(without)} without a reference:\n  ' + '\n  '.join(without))


main()
