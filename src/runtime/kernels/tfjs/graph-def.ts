/**
 * The few messages of TensorFlow's SavedModel format that a graph needs, written with protobufjs. Field numbers are those
 * of saved_model.proto, meta_graph.proto, graph.proto, node_def.proto, attr_value.proto, tensor.proto and
 * tensor_shape.proto (https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework and `protobuf`).
 */
import protobuf from 'protobufjs/light.js';

const SCHEMA = {
  nested: {
    SavedModel: {
      fields: {
        savedModelSchemaVersion: { type: 'int64', id: 1 },
        metaGraphs: { rule: 'repeated', type: 'MetaGraphDef', id: 2 },
      },
    },
    MetaGraphDef: { fields: { metaInfoDef: { type: 'MetaInfoDef', id: 1 }, graphDef: { type: 'GraphDef', id: 2 } } },
    MetaInfoDef: { fields: { tags: { rule: 'repeated', type: 'string', id: 4 } } },
    GraphDef: {
      fields: { node: { rule: 'repeated', type: 'NodeDef', id: 1 }, versions: { type: 'VersionDef', id: 4 } },
    },
    VersionDef: { fields: { producer: { type: 'int32', id: 1 } } },
    NodeDef: {
      fields: {
        name: { type: 'string', id: 1 },
        op: { type: 'string', id: 2 },
        input: { rule: 'repeated', type: 'string', id: 3 },
        attr: { keyType: 'string', type: 'AttrValue', id: 5 },
      },
    },
    AttrValue: {
      fields: {
        list: { type: 'ListValue', id: 1 },
        s: { type: 'bytes', id: 2 },
        i: { type: 'int64', id: 3 },
        f: { type: 'float', id: 4 },
        b: { type: 'bool', id: 5 },
        type: { type: 'int32', id: 6 },
        shape: { type: 'TensorShapeProto', id: 7 },
        tensor: { type: 'TensorProto', id: 8 },
      },
    },
    ListValue: {
      fields: {
        i: { rule: 'repeated', type: 'int64', id: 3 },
        f: { rule: 'repeated', type: 'float', id: 4 },
        b: { rule: 'repeated', type: 'bool', id: 5 },
      },
    },
    TensorShapeProto: { fields: { dim: { rule: 'repeated', type: 'Dim', id: 2 } } },
    Dim: { fields: { size: { type: 'int64', id: 1 } } },
    TensorProto: {
      fields: {
        dtype: { type: 'int32', id: 1 },
        tensorShape: { type: 'TensorShapeProto', id: 2 },
        tensorContent: { type: 'bytes', id: 4 },
      },
    },
  },
} as const;

/** A version of the graph format that libtensorflow 1.15 as well as 2 reads (version.h: from 0 on, to what is newest). */
const PRODUCER = 100;
export const TAG = 'serve';

export interface Literal {
  /** DataType of types.proto. */
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export type GraphAttribute =
  | { readonly s: string }
  | { readonly i: number | readonly number[] }
  | { readonly f: number | readonly number[] }
  | { readonly b: boolean | readonly boolean[] }
  | { readonly type: number }
  | { readonly shape: readonly number[] }
  | { readonly tensor: Literal };

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** `NODE:OUTPUT`, in the order of the op's inputs. */
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, GraphAttribute>>;
}

const shapeMessage = (shape: readonly number[]): object => ({ dim: shape.map((size) => ({ size })) });

function attribute(value: GraphAttribute): object {
  if ('s' in value) return { s: Buffer.from(value.s) };
  if ('shape' in value) return { shape: shapeMessage(value.shape) };
  if ('tensor' in value) {
    const { dtype, shape, bytes } = value.tensor;
    return { tensor: { dtype, tensorShape: shapeMessage(shape), tensorContent: bytes } };
  }
  return Array.isArray(Object.values(value)[0]) ? { list: value } : value;
}

const type = protobuf.Root.fromJSON(SCHEMA).lookupType('SavedModel');

/** @returns the bytes of a `saved_model.pb` of this graph alone, under `TAG` */
export function encodeSavedModel(nodes: readonly GraphNode[]): Uint8Array {
  const node = nodes.map(({ attr, ...rest }) => ({
    ...rest,
    attr: Object.fromEntries(Object.entries(attr).map(([name, value]) => [name, attribute(value)])),
  }));
  const graph = { metaInfoDef: { tags: [TAG] }, graphDef: { node, versions: { producer: PRODUCER } } };
  return type.encode({ savedModelSchemaVersion: 1, metaGraphs: [graph] }).finish();
}
