/** Pictures of a report as SVG text: bars, and heat maps of squares. Colours are classes that the page defines. */
import { escaped } from './escape.ts';

export type Bar = {
	readonly label: string;
	/** Shares of the whole, from the left: what is left, and what went. */
	readonly parts: readonly number[];
	readonly text: string;
};
type Cell = {
	/** 0 to 1. */
	readonly value: number;
	readonly gone: boolean;
	readonly says: string;
};
type HeatRow = { readonly label: string; readonly cells: readonly Cell[] };

/** Widths in the units of a picture; labels longer than this many letters are cut. */
const [labelWidth, barWidth, rowHeight, letters] = [130, 250, 22, 19] as const;

export function bars(title: string, rows: readonly Bar[]): string {
	if (rows.length === 0) return '';
	const classes = ['keep', 'gone'];
	const lines = rows.map(({ label, parts, text }, row) => {
		const y = row * rowHeight;
		let x: number = labelWidth;
		const boxes = parts.map((part, at) => {
			const width = Math.max(0, Math.min(1.2, part)) * barWidth;
			const box = `<rect class="${classes[at] ?? ''}" x="${x.toFixed(1)}" y="${y + 3}" width="${width.toFixed(1)}" height="${rowHeight - 7}"/>`;
			x += width;
			return box;
		});
		return `${labelAt(label, y)}${boxes.join('')}<text x="${labelWidth + 1.2 * barWidth + 8}" y="${y + 15}">${escaped(text)}</text>`;
	});
	return picture(title, labelWidth + 1.2 * barWidth + 90, rows.length * rowHeight, lines);
}

export function heatMap(title: string, rows: readonly HeatRow[]): string {
	if (rows.length === 0) return '';
	const most = Math.max(...rows.map(({ cells }) => cells.length));
	const lines = rows.map(({ label, cells }, row) => {
		const y = row * rowHeight;
		return labelAt(label, y) + cells.map((cell, at) => square(cell, labelWidth + at * rowHeight, y)).join('');
	});
	return picture(title, labelWidth + most * rowHeight, rows.length * rowHeight, lines);
}

/** A point of a curve; those of the front are filled and joined. */
export type Dot = { readonly x: number; readonly y: number; readonly isOn: boolean; readonly says: string };

const [plotWidth, plotHeight, margin] = [520, 300, 60] as const;

/** Points over two axes, with the least and the largest of each written at its ends. */
export function scatter(
	title: string,
	axes: { readonly x: string; readonly y: string },
	dots: readonly Dot[],
): string {
	if (dots.length === 0) return '';
	const [across, up] = [spanOf(dots.map(({ x }) => x)), spanOf(dots.map(({ y }) => y))];
	const place = ({ x, y }: Dot): readonly [number, number] => [
		margin + across.at(x) * plotWidth,
		10 + (1 - up.at(y)) * plotHeight,
	];
	const front = dots.filter(({ isOn }) => isOn).toSorted((a, b) => a.x - b.x);
	const path = front.map(
		(dot, at) =>
			`${at === 0 ? 'M' : 'L'}${place(dot)
				.map((one) => one.toFixed(1))
				.join(' ')}`,
	);
	const [bottom, right] = [10 + plotHeight, margin + plotWidth];
	return picture(title, right + 20, bottom + 50, [
		`<path class="edge" d="M${margin} 10V${bottom}H${right}"/>`,
		`<path class="front" d="${path.join('')}"/>`,
		...dots.map((dot) => dotAt(place(dot), dot)),
		`<text x="${margin}" y="${bottom + 18}">${across.least}</text><text x="${right - 30}" y="${bottom + 18}">${across.most}</text>`,
		`<text x="0" y="${bottom}">${up.least}</text><text x="0" y="20">${up.most}</text>`,
		`<text x="${margin}" y="${bottom + 40}">${escaped(`→ ${axes.x}; ↑ ${axes.y}`)}</text>`,
	]);
}

function dotAt([x, y]: readonly [number, number], { isOn, says }: Dot): string {
	const place = `cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="6"`;
	// On the inner side, where there is room for it.
	const isRight = x > margin + plotWidth / 2;
	const side = `x="${(isRight ? x - 9 : x + 9).toFixed(1)}"${isRight ? ' text-anchor="end"' : ''}`;
	const name = `<text ${side} y="${(y + 4).toFixed(1)}">${escaped(says)}</text>`;
	return `<g><title>${escaped(says)}</title><circle class="${isOn ? 'keep' : 'off'}" ${place}/>${name}</g>`;
}

/** Where numbers lie between the least and the most of all, with a little room. */
function spanOf(values: readonly number[]): { at: (value: number) => number; least: string; most: string } {
	const [low, high] = [Math.min(...values), Math.max(...values)];
	const room = high > low ? (high - low) / 10 : Math.max(1e-6, Math.abs(high) / 10);
	const [least, most] = [low - room, high + room];
	return {
		at: (value) => (value - least) / (most - least),
		least: least.toPrecision(3),
		most: most.toPrecision(3),
	};
}

function square({ value, gone, says }: Cell, x: number, y: number): string {
	const size = rowHeight - 2;
	const opacity = (0.06 + 0.94 * Math.max(0, Math.min(1, value))).toFixed(3);
	const cross = gone
		? `<path class="cross" d="M${x + 4} ${y + 4}l${size - 8} ${size - 8}m0 ${8 - size}l${8 - size} ${size - 8}"/>`
		: '';
	const box = `x="${x}" y="${y}" width="${size}" height="${size}"`;
	return `<g><title>${escaped(says)}</title><rect class="keep" ${box} fill-opacity="${opacity}"/><rect class="edge" ${box}/>${cross}</g>`;
}

function labelAt(label: string, y: number): string {
	const text = label.length > letters ? `${label.slice(0, letters - 1)}…` : label;
	return `<text x="0" y="${y + 15}"><title>${escaped(label)}</title>${escaped(text)}</text>`;
}

function picture(title: string, width: number, height: number, lines: readonly string[]): string {
	const size = `${Math.ceil(width)} ${Math.ceil(height)}`;
	return `<h3>${escaped(title)}</h3><svg role="img" aria-label="${escaped(title)}" viewBox="0 0 ${size}" width="${Math.ceil(width)}">${lines.join('\n')}</svg>`;
}
