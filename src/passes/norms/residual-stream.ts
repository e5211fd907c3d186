/**
 * What flows through sums: values that operators only add, scale and move, from whoever writes them to whoever reads them for
 * something else. Its channels can lose their mean where every reader subtracts the mean itself (SliceGPT, arXiv:2401.15024, section 3.2).
 */
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { intOf } from '../edits.ts';
import { type Rewriting } from '../exact/rewriting.ts';

/** A value with its axis of channels, counted from the back: 1 is the last. */
export type Member = { readonly value: ValueName; readonly back: number };

export type Stream = {
	readonly members: readonly Member[];
	/** Members that nobody in the stream makes, constants included. */
	readonly writers: readonly Member[];
	/** Native norms that subtract the mean, and the subtractions of means in single operators. */
	readonly norms: readonly Node[];
	/** Ids of the nodes that hold members together. */
	readonly nodes: ReadonlySet<number>;
	/** Who sees the mean, in words. */
	readonly obstacles: readonly string[];
};

/** Operators whose channels stay where they are, counted from the back. */
const still = new Set(['Identity', 'Dropout', 'Cast', 'Expand', 'Slice', 'Concat', 'Split', 'Gather']);
const sums = new Set(['Add', 'Sub', 'Sum']);
const relabelled = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
/** Norms that subtract the mean over their last axes. */
const centring = new Set(['LayerNormalization', 'SkipLayerNormalization']);

/** Everything that flows together with a value along its last axis. */
export function streamAt(r: Rewriting, value: ValueName): Stream {
	return new Walk(r, value).run();
}

class Walk {
	private readonly r: Rewriting;
	private readonly size: number | undefined;
	private readonly found = new Map<ValueName, Member>();
	private readonly norms = new Set<Node>();
	private readonly nodes = new Set<number>();
	private readonly writers: Member[] = [];
	private readonly obstacles = new Set<string>();

	constructor(r: Rewriting, value: ValueName) {
		this.r = r;
		this.size = r.sizesOf(value)?.at(-1);
		this.found.set(value, { value, back: 1 });
	}

	run(): Stream {
		// A map goes on to what is put into it meanwhile.
		for (const member of this.found.values()) {
			this.up(member);
			if (this.r.constantOf(member.value) === undefined) this.down(member);
		}
		const { writers, nodes } = this;
		return {
			members: [...this.found.values()],
			writers,
			norms: [...this.norms],
			nodes,
			obstacles: [...this.obstacles],
		};
	}

	private up(member: Member): void {
		const maker = this.r.makerOf(member.value);
		const isSum = maker?.op === 'SkipLayerNormalization' && maker.outputs[3] === member.value;
		const isWritten = maker === undefined || subtractsOwnMean(this.r, maker) !== undefined;
		const linked = isWritten ? undefined : isSum ? summed(maker, member) : this.linked(maker, member);
		if (isWritten || linked === undefined) this.writers.push(member);
		else this.join(linked, maker);
	}

	private down(member: Member): void {
		const outside = this.r.seenOutside(member.value);
		if (outside !== undefined) this.obstacles.add(outside);
		for (const reader of this.r.numbersReaders(member.value)) {
			const seen = this.centred(reader, member);
			const linked = seen ?? this.linked(reader, member);
			if (linked === undefined) this.obstacles.add(`${nodeLabel(reader)} reads the residual stream`);
			else this.join(linked, reader);
		}
	}

	/** What joins the stream at a reader that subtracts the mean of its channels; undefined for other readers. */
	private centred(reader: Node, member: Member): readonly Member[] | undefined {
		const { value, back } = member;
		if (isMeanOf(this.r, reader, member)) return [];
		const mean = this.r.makerOf(reader.inputs[1]);
		if (reader.op === 'Sub' && reader.inputs[0] === value && mean && isMeanOf(this.r, mean, member)) {
			this.norms.add(reader);
			return [];
		}
		if (!centring.has(reader.op) || back !== 1) return undefined;
		const rank = this.r.sizesOf(value)?.length ?? 0;
		const [axis, at] = [intOf(reader, 'axis', -1), reader.inputs.indexOf(value)];
		const isSkip = reader.op === 'SkipLayerNormalization';
		if ((axis !== -1 && axis !== rank - 1) || at > (isSkip ? 1 : 0)) return undefined;
		this.norms.add(reader);
		return isSkip ? summed(reader, member) : [];
	}

	private join(members: readonly Member[], through: Node): void {
		if (members.length > 0) this.nodes.add(through.id);
		for (const member of members) {
			const known = this.found.get(member.value);
			const label = nodeLabel(through);
			if (known !== undefined && known.back !== member.back)
				this.obstacles.add(`${label} turns the residual stream on itself`);
			if (this.r.sizesOf(member.value)?.at(-member.back) !== this.size)
				this.obstacles.add(`${label} adds one number to all channels`);
			else if (known === undefined) this.found.set(member.value, member);
		}
	}

	/** What an operator that adds or moves holds together with one of its values; undefined for other operators. */
	private linked(node: Node, member: Member): readonly Member[] | undefined {
		const { value, back } = member;
		const { op, domain, inputs, outputs } = node;
		if (domain !== '') return undefined;
		const all = (names: readonly ValueName[]): Member[] =>
			names.filter((name) => name !== '' && name !== value).map((name) => ({ value: name, back }));
		if (sums.has(op)) return all([...inputs, ...outputs]);
		if (op === 'Mul' || op === 'Div') return this.scaled(node, member);
		const [data = ''] = inputs;
		if (still.has(op)) {
			if (!this.leavesChannels(node, data, back)) return undefined;
			if (value !== data && op !== 'Concat' && inputs.includes(value)) return undefined;
			return all([
				...(op === 'Concat' ? inputs : [data]),
				...(op === 'Dropout' ? outputs.slice(0, 1) : outputs),
			]);
		}
		const [output = ''] = outputs;
		if (op !== 'Transpose' && !relabelled.has(op)) return undefined;
		const other = value === data ? output : data;
		const at = op === 'Transpose' ? this.turned(node, member) : this.placed(value, back, other);
		return at === undefined ? undefined : [{ value: other, back: at }];
	}

	/** A factor that is the same for all channels passes the mean on. */
	private scaled({ op, inputs, outputs }: Node, { value, back }: Member): readonly Member[] | undefined {
		const [output = ''] = outputs;
		const isWhole = (name: ValueName): boolean => this.r.sizesOf(name)?.at(-back) === this.size;
		const [first, more] = inputs.filter(isWhole);
		if (first === undefined || more !== undefined || (op === 'Div' && first !== inputs[0])) return undefined;
		return [first, output].filter((name) => name !== value).map((name) => ({ value: name, back }));
	}

	private leavesChannels(node: Node, data: ValueName, back: number): boolean {
		const rank = this.r.sizesOf(data)?.length;
		const size = this.r.sizesOf(data)?.at(-back);
		if (rank === undefined || size !== this.size) return false;
		const channels = rank - back;
		if (node.op === 'Slice') {
			const sliced = this.r.sizesOf(node.outputs[0] ?? '')?.at(-back);
			const axes = this.r.numbers(node.inputs[3]);
			const isTold =
				axes !== undefined && !Array.from(axes).some((axis) => axis === channels || axis === -back);
			return isTold && sliced === size;
		}
		if (!['Concat', 'Split', 'Gather'].includes(node.op)) return true;
		const attribute = intOf(node, 'axis', 0);
		const axis = attribute < 0 ? attribute + rank : attribute;
		return node.op === 'Gather' ? axis < channels : axis !== channels;
	}

	/** Where a transposition takes the channels to, or from. */
	private turned({ attributes, inputs }: Node, { value, back }: Member): number | undefined {
		const perm = attributes.get('perm');
		const rank = this.r.sizesOf(value)?.length ?? 0;
		const order = perm?.kind === 'ints' ? perm.value : Array.from({ length: rank }, (_, at) => rank - 1 - at);
		const axis = value === inputs[0] ? order.indexOf(rank - back) : order[rank - back];
		return axis === undefined || axis < 0 ? undefined : rank - axis;
	}

	/** The axis of another shape of the same numbers that has as many channels and as much behind them. */
	private placed(from: ValueName, back: number, to: ValueName): number | undefined {
		const [sizes, others] = [this.r.sizesOf(from), this.r.sizesOf(to)];
		if (sizes === undefined || others === undefined || this.size === undefined) return undefined;
		const count = (one: readonly number[], behind: number): number =>
			one.slice(one.length - behind).reduce((product, size) => product * size, 1);
		const inner = count(sizes, back - 1);
		const found = others.findIndex(
			(size, at) => size === this.size && count(others, others.length - at - 1) === inner,
		);
		return found < 0 ? undefined : others.length - found;
	}
}

/** The values that a norm with a sum adds, and the sum. */
function summed({ inputs, outputs }: Node, { value }: Member): Member[] {
	return [inputs[0], inputs[1], inputs[4], outputs[3]].flatMap((name) =>
		name === undefined || name === '' || name === value ? [] : [{ value: name, back: 1 }],
	);
}

/** Whether a node is the mean of a value over its channels. */
function isMeanOf(r: Rewriting, node: Node, { value, back }: Member): boolean {
	const [from, to] = [r.sizesOf(value), r.sizesOf(node.outputs[0] ?? '')];
	if (node.op !== 'ReduceMean' || node.inputs[0] !== value || from === undefined) return false;
	return (
		to?.length === from.length && to.every((size, at) => size === (at === from.length - back ? 1 : from[at]))
	);
}

/** The value from which a subtraction takes the mean over its last axis; undefined for other nodes. */
export function subtractsOwnMean(r: Rewriting, node: Node): ValueName | undefined {
	const [value = ''] = node.inputs;
	const mean = r.makerOf(node.inputs[1]);
	if (node.op !== 'Sub' || mean === undefined) return undefined;
	return isMeanOf(r, mean, { value, back: 1 }) ? value : undefined;
}
