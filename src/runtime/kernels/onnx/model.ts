/**
 * The few messages of the ONNX format that a kernel's model needs, written with protobufjs. Field numbers are those of
 * onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */
import protobuf from 'protobufjs/light.js';

const SCHEMA = {
  nested: {
    ModelProto: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'GraphProto', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSetIdProto', id: 8 },
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    GraphProto: {
      fields: {
        node: { rule: 'repeated', type: 'NodeProto', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'TensorProto', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfoProto', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfoProto', id: 12 },
      },
    },
    NodeProto: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'AttributeProto', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    AttributeProto: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        t: { type: 'TensorProto', id: 5 },
        s: { type: 'bytes', id: 4 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        type: { type: 'int32', id: 20 },
      },
    },
    TensorProto: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        floatData: { rule: 'repeated', type: 'float', id: 4 },
        int32Data: { rule: 'repeated', type: 'int32', id: 5 },
        int64Data: { rule: 'repeated', type: 'int64', id: 7 },
        name: { type: 'string', id: 8 },
        doubleData: { rule: 'repeated', type: 'double', id: 10 },
      },
    },
    ValueInfoProto: { fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeProto', id: 2 } } },
    TypeProto: {
      fields: { tensorType: { type: 'TensorTypeProto', id: 1 }, sequenceType: { type: 'SequenceTypeProto', id: 4 } },
    },
    SequenceTypeProto: { fields: { elemType: { type: 'TypeProto', id: 1 } } },
    TensorTypeProto: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'TensorShapeProto', id: 2 } } },
    TensorShapeProto: { fields: { dim: { rule: 'repeated', type: 'DimensionProto', id: 1 } } },
    DimensionProto: { fields: { dimValue: { type: 'int64', id: 1 } } },
  },
} as const;

/** TensorProto.DataType. */
export const ELEMENT_TYPES = { float: 1, int32: 6, int64: 7, float16: 10, double: 11, bfloat16: 16 } as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** AttributeProto.AttributeType. */
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const;

/** IR version 9 came with opset 20 (ONNX 1.15), the first to have Gelu. */
const IR_VERSION = 9;
const OPSET = 20;

export interface TensorLiteral {
  readonly name: string;
  readonly type: Exclude<ElementType, 'float16' | 'bfloat16'>;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export type NodeAttribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly tensor: TensorLiteral };

export interface Node {
  readonly opType: string;
  /** Empty for the standard's own operators. */
  readonly domain: '' | 'com.microsoft';
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, NodeAttribute>>;
}

/** A tensor that enters or leaves the model. */
export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface Model {
  readonly inputs: readonly Port[];
  /** An output before all others that is an empty sequence of tensors, if there is one: see `NO_COPIES`. */
  readonly sequence?: string;
  readonly outputs: readonly Port[];
  readonly initializers: readonly TensorLiteral[];
  readonly nodes: readonly Node[];
}

const tensor = ({ name, type, dims, values }: TensorLiteral): object => ({
  name,
  dims,
  dataType: ELEMENT_TYPES[type],
  [`${type}Data`]: values,
});

function attribute([name, value]: [string, NodeAttribute]): object {
  if ('float' in value) return { name, f: value.float, type: ATTRIBUTE_TYPES.float };
  if ('int' in value) return { name, i: value.int, type: ATTRIBUTE_TYPES.int };
  if ('string' in value) return { name, s: Buffer.from(value.string), type: ATTRIBUTE_TYPES.string };
  if ('ints' in value) return { name, ints: value.ints, type: ATTRIBUTE_TYPES.ints };
  return { name, t: tensor(value.tensor), type: ATTRIBUTE_TYPES.tensor };
}

const port = ({ name, type, shape }: Port): object => ({
  name,
  type: { tensorType: { elemType: ELEMENT_TYPES[type], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});

const sequence = (name: string): object => ({
  name,
  type: { sequenceType: { elemType: { tensorType: { elemType: ELEMENT_TYPES.float } } } },
});

/** Makes the function that writes a model's bytes. */
export function createEncoder(): (model: Model) => Uint8Array {
  const type = protobuf.Root.fromJSON(SCHEMA).lookupType('ModelProto');
  return ({ inputs, sequence: first, outputs, initializers, nodes }) =>
    type
      .encode({
        irVersion: IR_VERSION,
        producerName: 'meshwright',
        opsetImport: [
          { domain: '', version: OPSET },
          { domain: 'com.microsoft', version: 1 },
        ],
        graph: {
          name: 'kernel',
          input: inputs.map(port),
          output: [...(first === undefined ? [] : [sequence(first)]), ...outputs.map(port)],
          initializer: initializers.map(tensor),
          node: nodes.map((node, index) => ({
            name: `n${index}`,
            opType: node.opType,
            domain: node.domain,
            input: node.inputs,
            output: node.outputs,
            attribute: Object.entries(node.attributes).map(attribute),
          })),
        },
      })
      .finish();
}
