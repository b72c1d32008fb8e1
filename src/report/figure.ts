/**
 * A figure of a report: what is drawn, as data; what it shows, in words for those who do not see it; and a table with
 * the numbers behind it. What draws it is `page/draw.ts`, in the reader's browser.
 */
import type { Content, Html } from './html.js';
import { html, jsonOf } from './html.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of numbers, which are aligned to the right; all but the first unless given. */
  readonly right?: readonly number[];
}

export interface LegendEntry {
  readonly name: string;
  /** Of a colour of the style sheet: `matmul` is `--c-matmul`. */
  readonly colour: string;
}

export interface Figure {
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  /** What a person sees in it, in a sentence or two. */
  readonly label: string;
  /** How `page/draw.ts` draws it. */
  readonly kind: 'chart' | 'timeline' | 'drawing';
  readonly data: JsonObject;
  /** In CSS pixels. */
  readonly height: number;
  /** At most, in CSS pixels; as wide as the page unless given. */
  readonly width?: number;
  readonly legend?: readonly LegendEntry[];
  /** Of a timeline: parts of it that can be looked at by a button. */
  readonly zooms?: Readonly<Partial<Record<'first' | 'last', string>>>;
  /** Below it: how to read it, what is left out. */
  readonly note?: Content;
  readonly table: Table;
}

/** A colour of the style sheet, which has one for light and one for dark. */
export const colour = (name: string): string => `var(--c-${name})`;

export function tableHtml({ head, rows, right }: Table): Html {
  const isRight = (index: number): boolean => right?.includes(index) ?? index > 0;
  const cell = (text: string, index: number): Html =>
    isRight(index) ? html`<td class="n">${text}</td>` : html`<td>${text}</td>`;
  const title = (text: string, index: number): Html =>
    isRight(index) ? html`<th scope="col" class="n">${text}</th>` : html`<th scope="col">${text}</th>`;
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${head.map(title)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map(cell)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const legendHtml = (entries: readonly LegendEntry[]): Html =>
  html`<ul class="legend" aria-hidden="true">
    ${entries.map(
      ({ name, colour: of }) => html`<li><span class="swatch" style="background:var(--c-${of})"></span>${name}</li>`,
    )}
  </ul>`;

/** Buttons under which the page zooms: `in`, and what a timeline has besides. */
const zoomHtml = (more: Figure['zooms'] = {}): Html =>
  html`<div class="zoom" role="group" aria-label="Zoom">
    ${Object.entries({
      in: 'zoom in',
      out: 'zoom out',
      earlier: '← earlier',
      later: 'later →',
      all: 'all',
      ...more,
    }).map(([name, text]) => html`<button type="button" data-zoom="${name}">${text}</button>`)}
  </div>`;

export function figureHtml({ id, title, label, kind, data, height, width, legend, zooms, note, table }: Figure): Html {
  return html`<figure id="${id}" aria-labelledby="${id}-title">
    <h4 id="${id}-title">${title}</h4>
    <p class="shows" id="${id}-shows">${label}</p>
    ${legend === undefined ? undefined : legendHtml(legend)}${kind === 'timeline' ? zoomHtml(zooms) : undefined}
    <div class="${kind === 'drawing' ? 'wide' : 'whole'}">
      <div
        class="drawing"
        id="${id}-drawing"
        role="img"
        aria-labelledby="${id}-title"
        aria-describedby="${id}-shows"
        style="height:${height}px${width === undefined ? '' : `;max-width:${width}px`}"
        data-kind="${kind}"
      ></div>
    </div>
    <script type="application/json" id="${id}-data">
      ${jsonOf(data)}
    </script>
    ${note === undefined ? undefined : html`<figcaption>${note}</figcaption>`}
    <details>
      <summary>The numbers as a table</summary>
      ${tableHtml(table)}
    </details>
  </figure> `;
}
