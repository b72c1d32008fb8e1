import { countParameters, modelFlops } from '../../job/index.js';
import { PRESETS, tokenCount } from '../../models/index.js';
import { flops, formatFlops } from '../../units.js';
import { printJson, printTable } from '../output.js';

/** `meshwright models`: every preset with its parameters, body, pooling and classifier apart. */
export function models(flags: { readonly json?: boolean }): void {
  const rows = PRESETS.map(({ config, about }) => {
    const { body, pooling, classifier } = countParameters(config);
    return {
      ...config,
      about,
      tokens: tokenCount(config),
      bodyParameters: body,
      poolingParameters: pooling,
      classifierParameters: classifier,
      parameters: body + pooling + classifier,
      trainingFlopsPerImage: modelFlops(config, 1),
    };
  });
  if (flags.json) {
    printJson({ schema: 'meshwright/models@1', models: rows });
    return;
  }
  const millions = (value: number) => (value / 1e6).toFixed(value < 1e8 ? 2 : 0);
  printTable(
    ['model', 'width', 'depth', 'MLP', 'heads', 'tokens', 'body M', 'pooling M', 'classifier M', 'per image', 'about'],
    rows.map((row) => [
      row.name,
      String(row.width),
      String(row.depth),
      String(row.mlpWidth),
      String(row.heads),
      String(row.tokens),
      millions(row.bodyParameters),
      millions(row.poolingParameters),
      millions(row.classifierParameters),
      formatFlops(flops(row.trainingFlopsPerImage)),
      row.about,
    ]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
}
