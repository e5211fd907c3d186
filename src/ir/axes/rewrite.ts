/** From a cut to a patch: weights sliced, size slots overwritten, `Shape` kept as it was. */
import { bug } from '../../diagnostic.ts';
import { INT64 } from '../graph/dtype.ts';
import { nodeLabel, type Attribute, type Node, type Tensor, type ValueName } from '../graph/graph.ts';
import { freshNames, type Edit } from '../graph/patch.ts';
import { composed, lookupEdits, lookupsOf, newPlaces, renumbering } from './lookup.ts';
import { cutTensor } from '../graph/gather.ts';
import { tensorOf } from '../graph/tensor.ts';
import { keptPositions, type Cut } from './cut.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from './net.ts';
import { inferFacts, type Facts } from '../graph/facts.ts';
import { operatorOf } from './table.ts';
import { type Removal, type Resized, type SizePiece } from './operator.ts';
import { periodOf, type Period } from './period.ts';
import { type Row } from './row.ts';
import { frontAxis, intAttribute } from './view.ts';

/**
 * The edits that carry a cut out, or why an operator cannot follow it.
 * Indices of rows that go are sent to the row `unknown`, which must stay.
 */
export function rewriteCut(
	net: Net,
	cut: Cut,
	unknown?: number,
): { readonly edits: readonly Edit[] } | { readonly refused: string } {
	return new Rewriter(net, cut, unknown).run();
}

class Rewriter {
	private readonly edits: Edit[] = [];
	private readonly fresh: (base: string) => ValueName;
	private readonly inputs = new Map<NetNode, ValueName[]>();
	private readonly sliced = new Map<string, ValueName>();
	private readonly net: Net;
	private readonly cut: Cut;
	private readonly unknown: number | undefined;
	private readonly texts = new Map<Uint8Array, string>();
	private readonly remapped = new Map<string, ValueName>();
	/** Constants that others know by their name: setting them under it would reach those too. */
	private readonly known: ReadonlySet<ValueName>;
	/** What is fixed for every input, also where `net` was told of given sizes alone. */
	private readonly free: Facts;
	/** Who stands in for what makes a value, by the value. */
	private readonly standsIn: ReadonlyMap<ValueName, NetNode>;
	private refused: string | undefined;

	constructor(net: Net, cut: Cut, unknown: number | undefined) {
		this.net = net;
		this.standsIn = new Map(net.nodes.flatMap((node) => node.inner.map((name) => [name, node])));
		this.cut = cut;
		this.unknown = unknown;
		this.free = inferFacts(net.model);
		const { graph } = net.model;
		this.fresh = freshNames(graph);
		const identities = graph.nodes.filter(({ op }) => op === 'Identity');
		this.known = new Set([
			...graph.outputs.map(({ name }) => name),
			...identities.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]),
		]);
	}

	run(): { readonly edits: readonly Edit[] } | { readonly refused: string } {
		this.sliceConstants();
		for (const node of this.net.nodes) {
			this.remapIndices(node);
			if (node.readsShape) this.freezeShape(node);
			else this.resize(node);
		}
		this.resizeInterface();
		return this.refused === undefined ? { edits: this.edits } : { refused: this.refused };
	}

	private namesOf(node: NetNode): ValueName[] {
		const names = this.inputs.get(node) ?? [...node.node.inputs];
		this.inputs.set(node, names);
		return names;
	}

	/** Cuts constants once per use; equal cuts of one constant stay one, and a constant cut at all its uses keeps its name. */
	private sliceConstants(): void {
		const uses = new Map<ValueName, { node: NetNode; slot: number; tensor: NetTensor; key: string }[]>();
		for (const node of this.net.nodes) {
			node.inputs.forEach((tensor, slot) => {
				if (tensor?.constant === undefined) return;
				const key = (this.cut.dead.get(tensor) ?? []).map((set) => (set ? this.textOf(set) : '')).join('/');
				uses.set(tensor.name, [...(uses.get(tensor.name) ?? []), { node, slot, tensor, key }]);
			});
		}
		for (const [name, all] of uses) {
			const alone = new Set(all.map(({ key }) => key)).size === 1 && !this.known.has(name);
			for (const { node, slot, tensor, key } of all) {
				if (this.cut.dead.get(tensor)?.some(Boolean))
					this.namesOf(node)[slot] = this.slice(tensor, key, alone);
			}
		}
	}

	/** A set as a text, the same for equal ones. */
	private textOf(set: Uint8Array): string {
		const text = this.texts.get(set) ?? set.join('');
		this.texts.set(set, text);
		return text;
	}

	private slice(tensor: NetTensor, key: string, keepsName: boolean): ValueName {
		const id = `${tensor.source}|${key}`;
		const known = this.sliced.get(id);
		if (known !== undefined) return known;
		const name = keepsName ? tensor.name : this.fresh(`${tensor.name}_pruned`);
		this.sliced.set(id, name);
		let sliced: Tensor = { ...(tensor.constant ?? bug('a weight without data')), name };
		tensor.sizes.forEach((_, axis) => {
			const kept = keptPositions(this.cut, tensor, axis);
			if (kept !== undefined) sliced = cutTensor(sliced, axis, kept);
		});
		this.edits.push({ kind: 'constant', tensor: sliced });
		return name;
	}

	/** Who picks rows by number goes on giving the old numbers: a table in the graph turns them into the new ones. */
	private remapIndices(node: NetNode): void {
		for (const { letter, slot } of lookupsOf(node)) {
			const dead = this.cut.letters.get(node)?.[letter];
			if (dead === undefined) continue;
			const { unknown } = this;
			const named = slot !== undefined && (this.namesOf(node)[slot] ?? '') !== '';
			if (!named || unknown === undefined || dead[unknown] === 1)
				this.refused ??= `${nodeLabel(node.node)}, which selects rows by numbers that cannot be remapped`;
			else this.remap(node, slot, dead, unknown);
		}
	}

	private remap(node: NetNode, slot: number, dead: Uint8Array, unknown: number): void {
		const names = this.namesOf(node);
		const indices = names[slot] ?? '';
		const id = `${indices}|${dead.join('')}`;
		const known = this.remapped.get(id);
		if (known !== undefined) names[slot] = known;
		else {
			const own = renumbering(this.net, node, slot, newPlaces(dead, unknown));
			const edits = lookupEdits(composed(own, node, slot), this.fresh);
			this.edits.push(...edits.edits);
			names[slot] = edits.output;
			this.remapped.set(id, edits.output);
		}
	}

	private resize(node: NetNode): void {
		const names = this.inputs.get(node);
		const touched = this.cut.letters.get(node)?.some(Boolean) ?? false;
		const resized = touched && node.row ? this.resizedBy(node, node.row) : undefined;
		if (resized?.refused !== undefined) this.refused ??= `${nodeLabel(node.node)}: ${resized.refused}`;
		const renamed = names?.some((name, slot) => name !== node.node.inputs[slot]) ?? false;
		const takesPlace = touched && node.standsIn;
		if (!renamed && !takesPlace && Object.keys(resized ?? {}).length === 0) return;
		this.edits.push({
			kind: 'node',
			node: this.resized(node, { ...(takesPlace && whole(node)), ...resized }),
		});
	}

	private resized(node: NetNode, resized: Resized): Node {
		const inputs = this.namesOf(node);
		for (const [slot, { pieces, dims }] of resized.inputs ?? []) {
			while (inputs.length <= slot) inputs.push('');
			inputs[slot] = this.vector(node, slot, pieces, dims);
		}
		const attributes = new Map<string, Attribute>(node.node.attributes);
		for (const [name, value] of Object.entries(resized.attributes ?? {})) {
			if (value === undefined) attributes.delete(name);
			else attributes.set(name, value);
		}
		const outputs = resized.gather === undefined ? node.node.outputs : this.gatherAfter(node, resized.gather);
		return { ...node.node, inputs, outputs, attributes };
	}

	private removal(node: NetNode, row: Row): Removal {
		const at = (letter: string): number => row.letters.findIndex(({ name }) => name === letter);
		const dead = (letter: string): Uint8Array | undefined => this.cut.letters.get(node)?.[at(letter)];
		return {
			row,
			dead,
			kept: (side, slot, axis) => {
				const tensor = operandOf(node, side, slot);
				return tensor && keptPositions(this.cut, tensor, axis);
			},
			count: (letter) => {
				const set = dead(letter);
				// A letter of one coordinate stands in no row.
				return set === undefined
					? (row.letters[at(letter)]?.size ?? 1)
					: set.filter((gone) => gone === 0).length;
			},
		};
	}

	/** A node with sizes that move as the input's do; as the net was told where those cannot be, or cannot follow. */
	private resizedBy(node: NetNode, row: Row): Resized | undefined {
		const resize = operatorOf(node.node)?.resize;
		const free = this.free.view(node.node, node.standsIn ? node.inputs[1]?.constant : undefined);
		const operands = [...free.inputs, ...free.outputs];
		const isTold = operands.every((operand) => operand === undefined || operand.sizes !== undefined);
		const resized = isTold ? resize?.(free, this.removal(node, row)) : undefined;
		const isFinal = isTold && resized?.refused === undefined;
		return isFinal ? resized : resize?.(node.view, this.removal(node, row));
	}

	/** A size vector: a constant where all is known, else its pieces put together from the vector it replaces. */
	private vector(
		node: NetNode,
		slot: number,
		pieces: readonly SizePiece[],
		dims: readonly number[] = [pieces.length],
	): ValueName {
		const known = node.view.inputs[slot]?.type ?? 0;
		const type = known === 0 ? INT64 : known;
		const base = node.node.outputs[0] ?? 'sizes';
		const literal = (values: readonly number[], dims: readonly number[]): ValueName => {
			const name = this.fresh(`${base}_sizes`);
			this.edits.push({ kind: 'constant', tensor: tensorOf(name, type, dims, values) });
			return name;
		};
		const values = pieces.filter((piece) => typeof piece === 'number');
		if (values.length === pieces.length) return literal(values, dims);
		const source = node.node.inputs[slot] ?? '';
		const parts = pieces.map((piece) =>
			typeof piece === 'number' ? literal([piece], [1]) : this.pick(source, piece.piece, base),
		);
		const sizes = this.fresh(`${base}_sizes`);
		this.insert('Concat', parts, sizes, 0);
		return sizes;
	}

	private pick(source: ValueName, element: number, base: string): ValueName {
		const index = this.fresh(`${base}_index`);
		const output = this.fresh(`${base}_size`);
		this.edits.push({ kind: 'constant', tensor: tensorOf(index, INT64, [1], [element]) });
		this.insert('Gather', [source, index], output, 0);
		return output;
	}

	private insert(op: string, inputs: readonly ValueName[], output: ValueName, axis?: number): void {
		const attributes = new Map<string, Attribute>(
			axis === undefined ? [] : [['axis', { kind: 'int', value: axis }]],
		);
		this.edits.push({
			kind: 'insert',
			node: { name: '', op, domain: '', inputs, outputs: [output], attributes },
		});
	}

	private gatherAfter(
		node: NetNode,
		{ axis, indices }: { axis: number; indices: readonly number[] },
	): ValueName[] {
		const [output = '', ...rest] = node.node.outputs;
		const whole = this.fresh(`${output}_whole`);
		const index = this.fresh(`${output}_index`);
		this.edits.push({ kind: 'constant', tensor: tensorOf(index, INT64, [indices.length], indices) });
		this.insert('Gather', [whole, index], output, axis);
		return [whole, ...rest];
	}

	/** `Shape` of a cut tensor goes on reporting the original sizes: who computes with them computes what it did before. */
	private freezeShape(node: NetNode): void {
		const [input] = node.inputs;
		const [output = ''] = node.node.outputs;
		if (input === undefined || !this.isCut(input)) return;
		const known = node.view.outputs[0]?.known;
		const dead = this.cut.dead.get(input)?.slice(firstAxis(node, input));
		const moved = known?.fixed.map((fixed, at) => (fixed ? undefined : dead?.[at])) ?? [];
		const periods = moved.map((set) => set && periodOf(set));
		if (known === undefined || moved.some((set, at) => set && periods[at] === undefined)) {
			this.refused ??= `${nodeLabel(node.node)} reads a size that depends on the input and on what is removed`;
			return;
		}
		const now = this.fresh(`${output}_now`);
		const free = this.free.of(output)?.known?.fixed;
		const parts = known.values.map((value, at) => {
			if (known.fixed[at] && (dead?.[at] || free?.[at])) return this.literalSize(value, output);
			const size = this.pick(now, at, output);
			const period = periods[at];
			return period === undefined ? size : this.wasSize(size, period, output);
		});
		this.edits.push({ kind: 'node', node: { ...node.node, outputs: [now] } });
		this.insert('Concat', parts, output, 0);
	}

	private isCut(tensor: NetTensor): boolean {
		const standsIn = this.standsIn.get(tensor.name);
		const sets = standsIn ? this.cut.letters.get(standsIn) : this.cut.dead.get(tensor);
		return sets?.some(Boolean) ?? false;
	}

	/** A size that was so many for each of those that are left: a batch times heads, of which some are gone. */
	private wasSize(size: ValueName, { kept, whole }: Period, base: string): ValueName {
		const [times, was] = [this.fresh(`${base}_times`), this.fresh(`${base}_size`)];
		this.insert('Mul', [size, this.literalSize(whole, base)], times);
		this.insert('Div', [times, this.literalSize(kept, base)], was);
		return was;
	}

	private literalSize(value: number, base: string): ValueName {
		const name = this.fresh(`${base}_was`);
		this.edits.push({ kind: 'constant', tensor: tensorOf(name, INT64, [1], [value]) });
		return name;
	}

	private resizeInterface(): void {
		for (const side of ['inputs', 'outputs'] as const) {
			for (const info of this.net.model.graph[side]) {
				const tensor = this.net.tensors.get(info.name);
				const sets = tensor && this.cut.dead.get(tensor);
				if (tensor === undefined || !sets?.some(Boolean) || info.dims === undefined) continue;
				const dims = info.dims.map((dim, axis) =>
					typeof dim === 'number' ? (keptPositions(this.cut, tensor, axis)?.length ?? dim) : dim,
				);
				this.edits.push({ kind: 'interface', side, info: { ...info, dims } });
			}
		}
	}
}

/** The axis whose size stands first in what a `Shape` puts out. */
function firstAxis({ view }: NetNode, { sizes }: NetTensor): number {
	const start = intAttribute(view, 'start', 0);
	return Math.max(0, frontAxis(start, sizes.length));
}

/** The constants of a node that the model does not have, as they are. */
function whole(node: NetNode): Resized {
	const slots = [...node.view.inputs.entries()].filter(([, operand]) => operand?.constant);
	return {
		inputs: new Map(slots.map(([slot, operand]) => [slot, { pieces: operand?.known?.values ?? [] }])),
	};
}
