/**
 * What both executors write: spans with ids that the simulated and the measured trace share. The id of a span is the
 * op's id completed by the iterations of the repeated regions around it, and nothing else joins the two.
 */
import type { Lane } from '../mesh/index.js';
import type { Seconds } from '../units.js';
import type { Op, Phase } from '../program/index.js';

/** A slot of a pipeline is one span where what is in it is not looked at. */
export type SpanKind = 'kernel' | 'collective' | 'host' | 'slot';

export interface Span {
  /** `encoder/norm+5@1.3`: op or kernel id, microbatch 1, layer 3. */
  readonly id: string;
  readonly kind: SpanKind;
  /** The op's name for a collective, `kernel`, or what the host did. */
  readonly name: string;
  readonly phase: Phase;
  readonly rank: number;
  readonly start: Seconds;
  readonly end: Seconds;
  /** For a collective: bytes that this rank sent. */
  readonly sentBytes?: number;
  /** For a collective, where it is known: when its turn could have come; it starts when it is on the links. */
  readonly issued?: Seconds;
  /** For a collective: those over one axis follow each other, those over several may run at once. */
  readonly axis?: Lane;
  /** In a pipeline, which slot it is part of; what a stage does before and after its slots has none. */
  readonly slot?: SlotPlace;
}

export interface SlotPlace {
  readonly stage: number;
  readonly chunk: number;
  readonly microbatch: number;
}

/** One step's spans; time counts from the start of the step. */
export interface Trace {
  readonly source: 'simulated' | 'measured';
  readonly step: number;
  readonly duration: Seconds;
  readonly spans: readonly Span[];
}

/** The id of one execution of an op, given the iterations around it, outermost first. */
export const spanId = (op: Pick<Op, 'id'>, iterations: readonly number[]): string =>
  iterations.length === 0 ? op.id : `${op.id}@${iterations.join('.')}`;
