/** Sums of products of rows: values of the examples are gathered until there are rows enough for one large product. */
import { present } from '../../diagnostic.ts';
import { elementCount, type ValueName } from '../../ir/graph/graph.ts';
import { type Gram, type GramRequest, type RowsOf } from '../../ir/lab.ts';
import { matrix, mirrored, type Matrix, type Products } from '../../ir/matrix.ts';
import { holding } from './padding.ts';
import { type Value } from './session.ts';

/** Rows of a product: with fewer, reading and writing the sums takes longer than multiplying. */
const enough = 1024;
/** Columns of a block. Of a Gram matrix the blocks up to the diagonal are made, the rest is the same. */
const width = 384;

/** Sums over the rows of one example after another, in double precision. Rows that a mask marks as padding do not count. */
export class GramSums {
	private readonly panels = new Map<string, Panel>();
	private readonly sums = new Map<string, PanelProduct>();
	private readonly asked: readonly Asked[];
	private readonly products: Products;

	constructor(requests: readonly GramRequest[], products: Products) {
		this.products = products;
		this.asked = requests.map(({ against, ...rows }) => {
			const key = keyOf(rows);
			const own = this.panel(key, rows, false);
			const gram = this.sum(key, own, own);
			if (against === undefined) return { rows, own, gram };
			// What is padding is told by the first of the two, so that their rows go together.
			const other = this.panel(`${keyOf(against)} as ${key}`, against, true);
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
		if ([...this.panels.values()].some(({ rows }) => rows >= enough)) await this.multiply();
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

	/** Adds what has been gathered to the sums. */
	private async multiply(): Promise<void> {
		for (const sum of this.sums.values()) await sum.add(this.products);
		for (const panel of this.panels.values()) await panel.total(this.products);
	}

	private panel(key: string, { size }: RowsOf, isTarget: boolean): Panel {
		const panel = this.panels.get(key) ?? new Panel(size, isTarget);
		this.panels.set(key, panel);
		return panel;
	}

	private sum(key: string, left: Panel, right: Panel): PanelProduct {
		const sum = this.sums.get(key) ?? new PanelProduct(left, right);
		this.sums.set(key, sum);
		return sum;
	}
}

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

/** Rows that wait to be multiplied, in blocks of columns, and plain sums over all rows there ever were. */
class Panel {
	readonly sum: Float64Array;
	readonly squares: Float64Array;
	/** First columns of the blocks, and the end of the last. */
	readonly edges: readonly number[];
	/** Rows that wait, and rows in all. */
	rows = 0;
	count = 0;
	private readonly isTarget: boolean;
	private blocks: Float64Array[];

	/** @param isTarget whether the squares of its values are asked for. */
	constructor(size: number, isTarget: boolean) {
		this.isTarget = isTarget;
		this.sum = new Float64Array(size);
		this.squares = new Float64Array(size);
		this.edges = [...Array.from({ length: Math.ceil(size / width) }, (_, at) => at * width), size];
		this.blocks = this.edges.slice(1).map(() => new Float64Array());
	}

	append({ dims, data }: Value, { axis, only }: RowsOf, kept: readonly number[] | undefined): void {
		const [inner, size] = [elementCount(dims.slice(axis + 1)), dims[axis] ?? 1];
		const all = elementCount(dims) / Math.max(1, size);
		const added = kept?.length ?? all;
		this.reserve(this.rows + added);
		for (let at = 0; at < added; at++) {
			const start = startOf(kept?.[at] ?? at, inner, size);
			for (const [block, rows] of this.blocks.entries()) {
				const [from = 0, to = 0] = [this.edges[block], this.edges[block + 1]];
				const target = (this.rows + at) * (to - from);
				if (inner === 1 && only === undefined && data instanceof Float32Array)
					rows.set(data.subarray(start + from, start + to), target);
				else
					for (let col = from; col < to; col++)
						rows[target + col - from] = data[start + (only?.[col] ?? col) * inner] ?? 0;
			}
		}
		this.rows += added;
		this.count += added;
	}

	/** The rows that wait, of a block of columns. */
	block(at: number): Matrix {
		const cols = (this.edges[at + 1] ?? 0) - (this.edges[at] ?? 0);
		return matrix(this.rows, cols, present(this.blocks[at], 'a block').subarray(0, this.rows * cols));
	}

	/** Adds the rows that wait to the plain sums; then none waits. */
	async total(products: Products): Promise<void> {
		if (this.rows === 0) return;
		const ones = matrix(1, this.rows, new Float64Array(this.rows).fill(1));
		for (const [at, from] of this.edges.slice(0, -1).entries()) {
			const block = this.block(at);
			await products.add(matrix(1, block.cols, this.sum.subarray(from, from + block.cols)), ones, block);
			if (this.isTarget) addSquares(this.squares.subarray(from, from + block.cols), block.data);
		}
		this.rows = 0;
	}

	private reserve(rows: number): void {
		this.blocks = this.blocks.map((known, at) => {
			const need = rows * ((this.edges[at + 1] ?? 0) - (this.edges[at] ?? 0));
			if (known.length >= need) return known;
			const larger = new Float64Array(Math.max(need, 2 * known.length));
			larger.set(known);
			return larger;
		});
	}
}

function addSquares(sums: Float64Array, data: Float64Array): void {
	const cols = sums.length;
	for (let start = 0; start < data.length; start += cols)
		for (let col = 0; col < cols; col++) {
			const value = data[start + col] ?? 0;
			sums[col] = (sums[col] ?? 0) + value * value;
		}
}

/** Σ xᵀy over the rows of two panels, block by block; of a panel with itself the lower triangle. */
class PanelProduct {
	private readonly left: Panel;
	private readonly right: Panel;
	private readonly blocks: readonly { readonly row: number; readonly col: number; readonly total: Matrix }[];

	constructor(left: Panel, right: Panel) {
		[this.left, this.right] = [left, right];
		const tall = left.edges.slice(0, -1).map((from, at) => (left.edges[at + 1] ?? 0) - from);
		const wide = right.edges.slice(0, -1).map((from, at) => (right.edges[at + 1] ?? 0) - from);
		this.blocks = tall.flatMap((rows, row) =>
			wide
				.slice(0, left === right ? row + 1 : wide.length)
				.map((cols, col) => ({ row, col, total: matrix(rows, cols) })),
		);
	}

	async add(products: Products): Promise<void> {
		if (this.left.rows === 0) return;
		for (const { row, col, total } of this.blocks)
			await products.add(total, this.left.block(row), this.right.block(col), 'tn');
	}

	whole(): Matrix {
		const [left, right] = [this.left.edges, this.right.edges];
		const result = matrix(left.at(-1) ?? 0, right.at(-1) ?? 0);
		for (const { row, col, total } of this.blocks)
			for (let at = 0; at < total.rows; at++)
				result.data.set(
					total.data.subarray(at * total.cols, (at + 1) * total.cols),
					((left[row] ?? 0) + at) * result.cols + (right[col] ?? 0),
				);
		return this.left === this.right ? mirrored(result) : result;
	}
}
