/** A curve of what is left and how good it is: as a table, and as a page. */
import { escaped } from './escape.ts';
import { htmlPage } from './html.ts';
import { scatter } from './pictures.ts';
import { table } from './tables.ts';

/** A recipe at one setting of its parameters. */
export type CurvePoint = {
	readonly params: Readonly<Record<string, string>>;
	/** Built, proven, and as promised. */
	readonly ok: boolean;
	/** Shares of the original's. */
	readonly left?: Readonly<Partial<Record<'params' | 'macs' | 'size' | 'latency', number>>>;
	readonly drift?: { readonly cosine: number; readonly kl?: number; readonly top1Agreement?: number };
	/** Where the recipe says what to evaluate on. */
	readonly quality: readonly {
		readonly metric: string;
		readonly better: 'higher' | 'lower';
		readonly original: number;
		readonly value: number;
		readonly interval: readonly [number, number];
	}[];
	/** Why it was not built. */
	readonly problems?: readonly string[];
};

/** What a point costs and how good it is, better being higher; undefined where one of both was not measured. */
function placeOf({ left, drift, quality: [first] }: CurvePoint): { cost: number; good: number } | undefined {
	const cost = left?.latency ?? left?.macs;
	const sign = first?.better === 'lower' ? -1 : 1;
	const good = first === undefined ? drift?.cosine : sign * first.value;
	return cost === undefined || good === undefined || Number.isNaN(good) ? undefined : { cost, good };
}

/** Whether no other point is at least as cheap and as good and better in one of both. */
export function onFront(point: CurvePoint, all: readonly CurvePoint[]): boolean {
	const own = placeOf(point);
	if (own === undefined) return false;
	return !all.some((other) => {
		const theirs = placeOf(other);
		if (theirs === undefined || other === point) return false;
		const isAsGood = theirs.cost <= own.cost && theirs.good >= own.good;
		return isAsGood && (theirs.cost < own.cost || theirs.good > own.good);
	});
}

const share = (value: number | undefined): string =>
	value === undefined ? '-' : `${(100 * value).toFixed(1)}%`;

function rowsOf(points: readonly CurvePoint[]): string[][] {
	const names = Object.keys(points[0]?.params ?? {});
	const measured =
		points.find(({ quality }) => quality.length > 0)?.quality.map(({ metric }) => metric) ?? [];
	const head = [
		...names,
		'latency',
		'multiply-adds',
		'parameters',
		'size',
		...measured,
		'cosine',
		'agreement',
		'',
	];
	const rows = points.map((point) => {
		const { params, left, drift, quality, problems = [], ok } = point;
		const costs = [left?.latency, left?.macs, left?.params, left?.size].map(share);
		const goods = measured.map(
			(name) => quality.find(({ metric }) => metric === name)?.value.toFixed(4) ?? '-',
		);
		const verdict = ok ? (onFront(point, points) ? 'on the front' : '') : (problems[0] ?? 'not built');
		return [
			...names.map((name) => params[name] ?? ''),
			...costs,
			...goods,
			drift?.cosine.toFixed(4) ?? '-',
			share(drift?.top1Agreement),
			verdict,
		];
	});
	return [head, ...rows];
}

/** Shares are of the original's; latency is the median of ratios within turns. */
export const curveTable = (points: readonly CurvePoint[]): string => table(rowsOf(points));

/** The page of a curve: a picture of it, and the table. */
export function curvePage(title: string, points: readonly CurvePoint[]): string {
	const [head = [], ...rows] = rowsOf(points);
	const line = (cells: readonly string[], tag: string): string =>
		`<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
	const body = rows.map((row) => line(row, 'td')).join('\n');
	const places = points.flatMap((point) => {
		const place = placeOf(point);
		if (place === undefined) return [];
		const says = Object.entries(point.params).map(([name, value]) => `${name} = ${value}`);
		const [first] = point.quality;
		const y = first?.better === 'lower' ? -place.good : place.good;
		return [{ x: place.cost, y, isOn: onFront(point, points), says: says.join(', ') }];
	});
	const [first] = points.flatMap(({ quality }) => quality);
	const cost = points.some(({ left }) => left?.latency !== undefined) ? 'latency' : 'multiply–adds';
	const axes = { x: `${cost}, share of the original's`, y: first?.metric ?? 'cosine with the original' };
	return htmlPage(title, [
		`<h1>${escaped(title)}</h1>`,
		scatter('Cost and quality', axes, places),
		`<div class="wide"><table><thead>${line(head, 'th')}</thead><tbody>${body}</tbody></table></div>`,
		'<p>Shares are of the original model. Latency is the median of the ratios within turns. On the front: no other point is as cheap and as good.</p>',
	]);
}
