/** Curves over two axes as one SVG file that needs no style from elsewhere. */

/** Points are joined in their order. */
export type Curve = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] };

const [width, height, left, bottom, side] = [640, 360, 64, 44, 150] as const;
/** Told apart also without colours: every second one is dashed. (Okabe and Ito's palette.) */
const colours = [
	'#0072b2',
	'#d55e00',
	'#009e73',
	'#cc79a7',
	'#e69f00',
	'#56b4e9',
	'#000000',
	'#999999',
] as const;

export function curvePicture(
	axes: { readonly x: string; readonly y: string },
	curves: readonly Curve[],
): string {
	const points = curves.flatMap((curve) => curve.points);
	const across = scaleOf(
		points.map(([x]) => x),
		[left, width - side],
	);
	const up = scaleOf(
		points.map(([, y]) => y),
		[height - bottom, 12],
	);
	const ticks = [
		...across.ticks.map((value) => label(across.at(value), height - bottom + 16, 'middle', short(value))),
		...up.ticks.map((value) => label(left - 6, up.at(value) + 4, 'end', short(value))),
		...up.ticks.map((value) => `<path d="M${left} ${up.at(value)}H${width - side}" stroke="#ddd"/>`),
	];
	const lines = curves.map(({ name, points: own }, at) => {
		const colour = colours[at % colours.length] ?? '#000';
		const path = own.map(([x, y], place) => `${place === 0 ? 'M' : 'L'}${across.at(x)} ${up.at(y)}`).join('');
		const dash = at % 2 === 1 ? ' stroke-dasharray="6 3"' : '';
		const dots = own
			.map(([x, y]) => `<circle cx="${across.at(x)}" cy="${up.at(y)}" r="3" fill="${colour}"/>`)
			.join('');
		const y = 20 + 18 * at;
		const key = `<path d="M${width - side + 10} ${y - 4}h22" stroke="${colour}" stroke-width="2"${dash}/>${label(width - side + 38, y, 'start', name)}`;
		return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>${dots}${key}`;
	});
	const names = [
		label((left + width - side) / 2, height - 8, 'middle', axes.x),
		`<g transform="translate(14 ${(height - bottom) / 2}) rotate(-90)">${label(0, 0, 'middle', axes.y)}</g>`,
	];
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${[...ticks, ...names, ...lines].join('\n')}
</svg>
`;
}

function label(x: number, y: number, anchor: string, text: string): string {
	return `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

type Scale = { readonly at: (value: number) => number; readonly ticks: readonly number[] };

function scaleOf(values: readonly number[], [from, to]: readonly [number, number]): Scale {
	const [least, most] = [Math.min(...values), Math.max(...values)];
	const reach = most - least || 1;
	const at = (value: number): number =>
		Math.round(10 * (from + ((value - least) / reach) * (to - from))) / 10;
	return { at, ticks: Array.from({ length: 5 }, (_, step) => least + (step * reach) / 4) };
}
