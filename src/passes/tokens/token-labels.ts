/** Labels on the axes of values: which position of the start each of theirs comes from, as rows of operators carry them along. */
import { operandOf, type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { type Part, type Term } from '../../ir/axes/row.ts';

/** What each position of an axis stands for; undefined where the axis is made of something else. */
export type Labels = Int32Array | undefined;

/** The labels of a value's axes; undefined where it has none. */
export type LabelsOf = (tensor: NetTensor | undefined) => readonly Labels[] | undefined;

/** What each letter of a node stands for, as its operands say; `lost` is called for an axis whose labels no letter tells. */
export function lettersOf(node: NetNode, labelsOf: LabelsOf, lost: () => void): Map<number, Int32Array> {
	const letters = new Map<number, Int32Array>();
	for (const [slot, input] of node.inputs.entries()) {
		for (const [axis, labels] of labelsOf(input)?.entries() ?? []) {
			if (labels === undefined) continue;
			const term = node.terms.get(`in${slot}.${axis}`);
			const found = term && letterOf(term, labels, node);
			if (found === undefined) lost();
			else letters.set(...found);
		}
	}
	return letters;
}

/** The letter of an axis that its labels follow: of an axis made of several, the one that tells them alone. */
function letterOf(term: Term, labels: Int32Array, node: NetNode): [number, Int32Array] | undefined {
	for (const part of term.parts) {
		const size = node.row?.letters[part.letter]?.size ?? 0;
		const found = byLetter(part, labels, size);
		if (found !== undefined) return [part.letter, found];
	}
	return undefined;
}

function byLetter({ index }: Part, labels: Int32Array, size: number): Int32Array | undefined {
	const found = new Int32Array(size).fill(-1);
	for (const [position, label] of labels.entries()) {
		const at = index === null ? position : (index[position] ?? -1);
		if (at < 0 || (found[at] !== -1 && found[at] !== label)) return undefined;
		found[at] = label;
	}
	return found;
}

/** The labels of an axis whose positions are those of a letter. */
export function labelsBy({ index }: Part, known: Int32Array | undefined): Labels {
	return index === null ? known : index.map((at) => (at < 0 ? -1 : (known?.[at] ?? -1)));
}

/** The axis of an operand that the rows of the batch lie on, each row `repeat` times one behind the other. */
export type BatchAxis = { readonly axis: number; readonly repeat: number };

/** Where rows of the batch of a value, its axis 0, lie in what is made of it. */
export class BatchRows {
	private readonly labels = new Map<NetTensor, readonly Labels[]>();
	private readonly count: number;
	/** Whether there is one row, whatever the input. */
	readonly single: boolean;

	constructor(net: Net, start: NetTensor) {
		this.count = start.sizes[0] ?? 1;
		this.single = this.count === 1 && start.dynamic[0] !== true;
		const rows = Int32Array.from({ length: this.count }, (_, at) => at);
		this.labels.set(start, [rows, ...start.sizes.slice(1).map(() => undefined)]);
		if (!this.single) for (const node of net.nodes) this.visit(node);
	}

	/** Of an operand of a node; a constant or another input has the batch where the node's letters say it. */
	at(node: NetNode, side: 'in' | 'out', slot: number): BatchAxis | undefined {
		const letters = this.lettersAt(node);
		const axes = operandOf(node, side, slot)?.sizes.length ?? 0;
		for (let axis = 0; axis < axes; axis++) {
			const found = this.evenly(this.labelsAt(node.terms.get(`${side}${slot}.${axis}`), letters));
			if (found !== undefined) return { axis, repeat: found };
		}
		return undefined;
	}

	private visit(node: NetNode): void {
		if (node.readsShape || node.row === undefined) return;
		const letters = this.lettersAt(node);
		if (letters.size === 0) return;
		for (const [slot, output] of node.outputs.entries()) {
			if (output === undefined) continue;
			const axes = output.sizes.map((_, axis) =>
				this.labelsAt(node.terms.get(`out${slot}.${axis}`), letters),
			);
			if (axes.some((labels) => labels !== undefined)) this.labels.set(output, axes);
		}
	}

	private lettersAt(node: NetNode): Map<number, Int32Array> {
		return lettersOf(
			node,
			(tensor) => tensor && this.labels.get(tensor),
			() => undefined,
		);
	}

	private labelsAt(term: Term | undefined, letters: ReadonlyMap<number, Int32Array>): Labels {
		const [part, other] = term?.parts.filter(({ letter }) => letters.has(letter)) ?? [];
		return part === undefined || other !== undefined ? undefined : labelsBy(part, letters.get(part.letter));
	}

	/** How often each row stands, where rows stand in order. */
	private evenly(labels: Labels): number | undefined {
		const repeat = (labels?.length ?? 0) / this.count;
		const inOrder = labels?.every((label, at) => label === Math.floor(at / repeat));
		return inOrder === true && Number.isInteger(repeat) && repeat > 0 ? repeat : undefined;
	}
}
