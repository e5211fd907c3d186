/** Sums of products of rows: values of the examples are gathered until there are rows enough for one large product. */
import { elementCount, type ValueName } from '../../ir/graph/graph.ts';
import { type Gram, type GramRequest, type RowsOf } from '../../ir/lab.ts';
import { matrix, mirrored, type Matrix } from '../../ir/matrix.ts';
import { holding } from './padding.ts';
import { multiplySingle, type SingleMatrix } from './products.ts';
import { type Value } from './session.ts';

/** Rows of a product: with fewer, reading and writing the sums takes longer than multiplying; with more, its rounding grows. */
const enough = 1024;
/** Features of the left of a product made at once. Of a Gram matrix what is up to the diagonal is made, the rest is the same. */
const height = 256;

/**
 * Sums over the rows of one example after another. Rows that a mask marks as padding do not count.
 *
 * Products are made in single precision, of at most 1024 rows and of what differs from the mean of the first ones, and added up in double
 * precision: an entry is off by about 1e-7 of √(σᵢᵢ·σⱼⱼ), σ the sums about that mean, however far from zero the mean is (Chan, Golub
 * & LeVeque, The American Statistician 37, 1983). Plain sums and squares are in double precision throughout.
 */
export class GramSums {
	private readonly panels = new Map<string, Panel>();
	private readonly sums = new Map<string, PanelProduct>();
	private readonly asked: readonly Asked[];
	private readonly threads: number;
	/** Where a product is written before it is added. */
	private scratch = new Float32Array();

	constructor(requests: readonly GramRequest[], threads: number) {
		this.threads = threads;
		this.asked = requests.map(({ against, ...rows }) => {
			const key = keyOf(rows);
			const own = this.panel(key, rows);
			const gram = this.sum(key, own, own);
			if (against === undefined) return { rows, own, gram };
			// What is padding is told by the first of the two, so that their rows go together.
			const other = this.panel(`${keyOf(against)} as ${key}`, against);
			const cross = this.sum(`${key} with ${keyOf(against)}`, own, other);
			return { rows, own, gram, against: { rows: against, panel: other, cross } };
		});
	}

	/** The rows of one example. */
	async add(valueOf: (name: ValueName) => Value, mask: Value | undefined): Promise<void> {
		const done = new Set<Panel>();
		const take = (panel: Panel, rows: RowsOf, kept: readonly number[] | undefined): void => {
			if (!done.has(panel)) panel.append(valueOf(rows.value), rows, kept);
			done.add(panel);
		};
		for (const { rows, own, against } of this.asked) {
			const kept = keptRows(valueOf(rows.value), rows, mask);
			take(own, rows, kept);
			if (against) take(against.panel, against.rows, kept);
		}
		if (this.waiting() >= enough) await this.multiply();
	}

	async finish(): Promise<Gram[]> {
		await this.multiply();
		return this.asked.map(({ own, gram, against }) => ({
			...{ count: own.count, sum: own.sum, gram: gram.whole() },
			...(against && {
				against: {
					cross: against.cross.whole(),
					sum: against.panel.sum,
					squares: against.panel.squares,
				},
			}),
		}));
	}

	/** Rows that wait, at most. */
	private waiting(): number {
		return Math.max(0, ...[...this.panels.values()].map(({ rows }) => rows));
	}

	/** Adds what has been gathered to the sums. */
	private async multiply(): Promise<void> {
		while (this.waiting() > 0) {
			const batches = new Map([...this.panels.values()].map((panel) => [panel, panel.next()]));
			for (const sum of this.sums.values()) await sum.add(batches, this.multiplied);
		}
	}

	private readonly multiplied: Multiply = async (a, b) => {
		const need = a.rows * b.rows;
		if (this.scratch.length < need) this.scratch = new Float32Array(need);
		const product = { rows: a.rows, cols: b.rows, data: this.scratch.subarray(0, need) };
		await multiplySingle(a, b, product, this.threads);
		return product;
	};

	private panel(key: string, { size }: RowsOf): Panel {
		const panel = this.panels.get(key) ?? new Panel(size);
		this.panels.set(key, panel);
		return panel;
	}

	private sum(key: string, left: Panel, right: Panel): PanelProduct {
		const sum = this.sums.get(key) ?? new PanelProduct(left, right);
		this.sums.set(key, sum);
		return sum;
	}
}

/** A·Bᵀ, good until the next one is made. */
type Multiply = (a: SingleMatrix, b: SingleMatrix) => Promise<SingleMatrix>;

type Asked = {
	readonly rows: RowsOf;
	readonly own: Panel;
	readonly gram: PanelProduct;
	readonly against?: { readonly rows: RowsOf; readonly panel: Panel; readonly cross: PanelProduct };
};

const keyOf = ({ value, axis, only }: RowsOf): string => `${value} ${axis} ${only?.join() ?? ''}`;

/** Places of the rows that are no padding; undefined for all of them. */
function keptRows({ dims }: Value, { axis }: RowsOf, mask: Value | undefined): number[] | undefined {
	const holds = holding(dims, mask, axis);
	if (holds === undefined) return undefined;
	const [inner, size] = [elementCount(dims.slice(axis + 1)), dims[axis] ?? 1];
	const rows = elementCount(dims) / Math.max(1, size);
	return Array.from({ length: rows }, (_, row) => row).filter((row) => holds(startOf(row, inner, size)));
}

/** Where the first feature of a row stands. */
function startOf(row: number, inner: number, size: number): number {
	return Math.floor(row / inner) * size * inner + (row % inner);
}

/** Rows of one value, by the place of their first feature; features are `inner` apart. */
type Waiting = {
	readonly data: ArrayLike<number>;
	readonly starts: Float64Array;
	readonly inner: number;
	readonly only?: readonly number[];
};

/** Rows that wait to be multiplied, where they are, and plain sums over all rows that do not wait any more. */
class Panel {
	readonly size: number;
	/** Taken from the features before they are multiplied: their means over the first batch. */
	shift: Float64Array | undefined;
	/** Σ (x − shift), and Σ (x − shift)². */
	readonly sums: Float64Array;
	private readonly squared: Float64Array;
	/** Rows that wait, and rows in all. */
	rows = 0;
	count = 0;
	private queue: Waiting[] = [];
	private batch = new Float32Array();

	constructor(size: number) {
		this.size = size;
		this.sums = new Float64Array(size);
		this.squared = new Float64Array(size);
	}

	append({ dims, data }: Value, { axis, only }: RowsOf, kept: readonly number[] | undefined): void {
		const [inner, size] = [elementCount(dims.slice(axis + 1)), dims[axis] ?? 1];
		const length = kept?.length ?? elementCount(dims) / Math.max(1, size);
		const starts = Float64Array.from({ length }, (_, at) => startOf(kept?.[at] ?? at, inner, size));
		this.queue.push({ data, starts, inner, ...(only && { only }) });
		this.rows += length;
		this.count += length;
	}

	/** Up to so many rows that wait, features × rows, less the shift; they wait no more. Good until the next ones are asked for. */
	next(): SingleMatrix {
		const cols = Math.min(this.rows, enough);
		if (this.batch.length < this.size * cols) this.batch = new Float32Array(this.size * cols);
		const batch = { rows: this.size, cols, data: this.batch.subarray(0, this.size * cols) };
		const taken = this.take(cols);
		if (cols > 0) this.shift ??= meansOf(taken, this.size, cols);
		let at = 0;
		for (const one of taken) {
			this.lay(one, batch, at);
			at += one.starts.length;
		}
		return batch;
	}

	get sum(): Float64Array {
		return this.sums.map((sum, at) => sum + this.count * (this.shift?.[at] ?? 0));
	}

	get squares(): Float64Array {
		return this.squared.map((square, at) => {
			const shift = this.shift?.[at] ?? 0;
			return square + 2 * shift * (this.sums[at] ?? 0) + this.count * shift ** 2;
		});
	}

	/** The first so many rows that wait. */
	private take(rows: number): Waiting[] {
		const taken: Waiting[] = [];
		let left = rows;
		while (left > 0) {
			const [first] = this.queue;
			if (first === undefined) break;
			const { starts } = first;
			taken.push({ ...first, starts: starts.subarray(0, left) });
			if (starts.length > left) this.queue[0] = { ...first, starts: starts.subarray(left) };
			else this.queue.shift();
			left -= Math.min(left, starts.length);
		}
		this.rows -= rows;
		return taken;
	}

	/** Writes rows of a value into a batch from a column on, and adds them to the plain sums. */
	private lay({ data, starts, inner, only }: Waiting, batch: SingleMatrix, column: number): void {
		for (let from = 0; from < starts.length; from += near) {
			const to = Math.min(starts.length, from + near);
			for (let feature = 0; feature < this.size; feature++) {
				const [offset, shift] = [(only?.[feature] ?? feature) * inner, this.shift?.[feature] ?? 0];
				const target = feature * batch.cols + column;
				let [sum, square] = [0, 0];
				for (let row = from; row < to; row++) {
					const value = (data[(starts[row] ?? 0) + offset] ?? 0) - shift;
					batch.data[target + row] = value;
					sum += value;
					square += value * value;
				}
				this.sums[feature] = (this.sums[feature] ?? 0) + sum;
				this.squared[feature] = (this.squared[feature] ?? 0) + square;
			}
		}
	}
}

/** Rows whose features are laid in turn: neighbouring features of so many are in the processor's cache. */
const near = 64;

/** Of each feature; 0 where that is no number, which shows in the sums. */
function meansOf(waiting: readonly Waiting[], size: number, rows: number): Float64Array {
	const means = new Float64Array(size);
	for (const { data, starts, inner, only } of waiting)
		for (const start of starts)
			for (let at = 0; at < size; at++)
				means[at] = (means[at] ?? 0) + (data[start + (only?.[at] ?? at) * inner] ?? 0) / rows;
	return means.map((mean) => (Number.isFinite(mean) ? mean : 0));
}

/** Σ xᵀy over the rows of two panels; of a panel with itself the lower triangle. */
class PanelProduct {
	private readonly left: Panel;
	private readonly right: Panel;
	private readonly total: Matrix;
	private made: Matrix | undefined;

	constructor(left: Panel, right: Panel) {
		[this.left, this.right] = [left, right];
		this.total = matrix(left.size, right.size);
	}

	async add(batches: ReadonlyMap<Panel, SingleMatrix>, multiplied: Multiply): Promise<void> {
		const [left, right] = [batches.get(this.left), batches.get(this.right)];
		if (left === undefined || right === undefined || left.cols === 0) return;
		for (let from = 0; from < left.rows; from += height) {
			const to = Math.min(left.rows, from + height);
			const other = left === right ? featuresOf(right, 0, to) : right;
			this.addRows(await multiplied(featuresOf(left, from, to), other), from);
		}
	}

	private addRows({ rows, cols, data }: SingleMatrix, from: number): void {
		const { total } = this;
		for (let row = 0; row < rows; row++) {
			const [source, target] = [row * cols, (from + row) * total.cols];
			for (let col = 0; col < cols; col++)
				total.data[target + col] = (total.data[target + col] ?? 0) + (data[source + col] ?? 0);
		}
	}

	/** The sums, of which nothing may be added any more. */
	whole(): Matrix {
		return (this.made ??= this.aboutZero());
	}

	/** Σ xᵀy = Σ (x − c)ᵀ(y − d) + cᵀ·Σ (y − d) + Σ (x − c)ᵀ·d + n·cᵀd. */
	private aboutZero(): Matrix {
		const { left, right, total } = this;
		const [sums, shift] = [right.sums, right.shift];
		for (let row = 0; row < total.rows; row++) {
			const [own, start] = [left.shift?.[row] ?? 0, row * total.cols];
			const all = (left.sums[row] ?? 0) + left.count * own;
			for (let col = 0; col < total.cols; col++) {
				const about = own * (sums[col] ?? 0) + all * (shift?.[col] ?? 0);
				total.data[start + col] = (total.data[start + col] ?? 0) + about;
			}
		}
		return left === right ? mirrored(total) : total;
	}
}

/** Features `from` up to but without `to`, sharing memory. */
function featuresOf({ cols, data }: SingleMatrix, from: number, to: number): SingleMatrix {
	return { rows: to - from, cols, data: data.subarray(from * cols, to * cols) };
}
