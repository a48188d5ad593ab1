"""Writes standard.json: the operators of ONNX, their versions and the element types of what they compute with.

python3 test/onnx/coverage/standard.py    (python3 with onnx)
"""
import json, os
import onnx

NAMES = {'float': 'f32', 'double': 'f64', 'float16': 'f16', 'bfloat16': 'bf16', 'int8': 'i8', 'uint8': 'u8', 'int16': 'i16', 'uint16': 'u16',
         'int32': 'i32', 'uint32': 'u32', 'int64': 'i64', 'uint64': 'u64', 'bool': 'bool'}
LAST = 26


def types_of(schema):
    if not schema.inputs and not schema.outputs:
        return []
    first = (schema.inputs[1] if schema.name == 'Where' else schema.inputs[0] if schema.inputs else schema.outputs[0]).type_str
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == first), [first])
    return [NAMES[t[7:-1]] for t in allowed if t.startswith('tensor(') and t[7:-1] in NAMES]


operators = {}
for schema in sorted(onnx.defs.get_all_schemas_with_history(), key=lambda s: (s.domain, s.name, s.since_version)):
    if schema.domain not in ('', 'ai.onnx.ml') or schema.since_version > LAST and schema.domain == '':
        continue
    name = f'{schema.domain}:{schema.name}' if schema.domain else schema.name
    entry = operators.setdefault(name, {'since': [], 'types': []})
    entry['since'].append(schema.since_version)
    if schema.since_version <= 23 or not entry['types']:
        entry['types'] = types_of(schema) or entry['types']
text = ',\n'.join(f'  {json.dumps(name)}: {json.dumps(entry)}' for name, entry in operators.items())
here = os.path.join(os.path.dirname(__file__), 'standard.json')
license = f'From onnx {onnx.__version__}, https://github.com/onnx/onnx, under the Apache License 2.0: names, versions and type constraints of operators'
open(here, 'w').write('{\n "license": ' + json.dumps(license) + ',\n "operators": {\n' + text + '\n }\n}\n')
