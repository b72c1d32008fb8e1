import { describe, expect, it } from 'vitest';
import { Emitter } from '../../../src/runtime/kernels/onnx/emitter.js';

describe('a model of nodes', () => {
  it('has each after what it reads, and those that nothing reads last, the first at the very end', () => {
    const emitter = new Emitter();
    const port = (name: string) => ({ name, type: 'float', shape: [] }) as const;
    const first = emitter.node('Neg', ['x']);
    const early = emitter.node('Abs', [first]);
    const second = emitter.node('Exp', [first]);
    const late = emitter.node('Erf', [second]);
    const results = [early, late, second].map((value, index) => ({ value, output: port(`y${index}`) }));
    const { nodes } = emitter.finish([port('x')], results);
    expect(nodes.map(({ opType }) => opType)).toEqual(['Neg', 'Exp', 'Erf', 'Abs']);
  });
});
