import { countParameters, modelFlops } from '../../job/index.js';
import type { ModelConfig } from '../../models/index.js';
import { PRESETS, tokensPerExample } from '../../models/index.js';
import { flops, formatFlops } from '../../units.js';
import { printJson, printLine, printTable } from '../output.js';

const millions = (value: number): string => (value / 1e6).toFixed(value < 1e8 ? 2 : 0);

function describe({ config, about }: { readonly config: ModelConfig; readonly about: string }) {
  const { body, pooling, classifier } = countParameters(config);
  return {
    config,
    about,
    tokens: tokensPerExample(config),
    bodyParameters: body,
    poolingParameters: pooling,
    classifierParameters: classifier,
    parameters: body + pooling + classifier,
    trainingFlopsPerExample: modelFlops(config, 1),
  };
}

type Row = ReturnType<typeof describe>;

/** The cells that all families have; `own` stand between the shape and the parameters. */
const cells = ({ config, ...row }: Row, own: readonly string[]): string[] => [
  config.name,
  ...[config.width, config.depth, config.mlpWidth, config.heads].map(String),
  ...own,
  formatFlops(flops(row.trainingFlopsPerExample)),
  row.about,
];

const SHAPE = ['width', 'depth', 'MLP', 'heads'];
const columns = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** `meshwright models`: every preset with its parameters, family by family. */
export function models(flags: { readonly json?: boolean }): void {
  const rows = PRESETS.map(describe);
  if (flags.json) {
    printJson({ schema: 'meshwright/models@1', models: rows.map(({ config, ...row }) => ({ ...config, ...row })) });
    return;
  }
  printLine('Vision transformers');
  printTable(
    ['model', ...SHAPE, 'tokens', 'body M', 'pooling M', 'classifier M', 'per image', 'about'],
    rows.flatMap((row) => {
      if (row.config.family !== 'vit') return [];
      const parameters = [row.bodyParameters, row.poolingParameters, row.classifierParameters];
      return [cells(row, [String(row.tokens), ...parameters.map(millions)])];
    }),
    columns(9),
  );
  printLine();
  printLine('Decoders');
  printTable(
    ['model', ...SHAPE, 'KV heads', 'tokens', 'vocabulary', 'all M', 'per sequence', 'about'],
    rows.flatMap((row) => {
      if (row.config.family !== 'decoder') return [];
      const { keyValueHeads, vocabulary } = row.config;
      return [cells(row, [...[keyValueHeads, row.tokens, vocabulary].map(String), millions(row.parameters)])];
    }),
    columns(9),
  );
}
