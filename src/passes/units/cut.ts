/** Removal of units through the axis engine: the cut spelled out as JSON, and what it does to a graph. */
import { bug, Fault } from '../../diagnostic.ts';
import { cutOf, keptPositions, positionsOf, verifyCut, type Chosen, type Cut } from '../../ir/axes/cut.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { extentOf } from '../../ir/axes/numbers.ts';
import { rewriteCut } from '../../ir/axes/rewrite.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { type Claim, type Kept } from '../../ir/proof.ts';
import { broken } from '../../messages/plan.ts';
import { emptyEdits, type Emptied } from './empty.ts';
import { type Folding } from './fold-constants.ts';
import { handOnEdits, withoutSilent, type HandedOn } from './silent.ts';
import { normEdits, type NormDecision } from './batch-norms.ts';
import { type Fit } from './fit.ts';
import { refitEdits, refitted, type RefitDecision } from './refit-edits.ts';
import { maskModel, masksOf, type Mask } from './masks.ts';
import { type Lowered, type LowerTask } from '../technique.ts';

/** Dead positions of an axis or letter, as places in the order of `0…size`. */
type DeadAxis = { readonly tensor: string; readonly axis: number; readonly dead: readonly number[] };
type DeadLetter = { readonly node: number; readonly letter: number; readonly dead: readonly number[] };

export type CutDecision = {
	readonly axes: readonly DeadAxis[];
	readonly letters: readonly DeadLetter[];
	/** Where indices of rows that go are sent, a row that stays; absent where no row is picked by number. */
	readonly unknown?: number;
	/** What the reference multiplies with zero. */
	readonly masks: readonly Mask[];
	/** Masks of negative controls: each one unit more than was removed. */
	readonly controls: readonly (readonly Mask[])[];
	/** Whole masks of more controls, one unit less than was removed: where nothing is left that could go. */
	readonly fewer?: readonly (readonly Mask[])[];
	/** Products of which nothing is left, where whole structures go. */
	readonly emptied?: readonly Emptied[];
	/** What readers take up of units that were constant: then the model before is the reference. */
	readonly foldings?: readonly Folding[];
	/** Operators that hand on what they had beside what is gone. */
	readonly handedOn?: readonly HandedOn[];
	/** New weights of readers, where removal is compensated. */
	readonly refits?: readonly RefitDecision[];
	/** New statistics of batch normalizations, likewise. */
	readonly norms?: readonly NormDecision[];
};

/** Spells a removal out. `spare` are kept units, one a control, that should matter most. */
export function decideCut(
	chosen: readonly Chosen[],
	spare: readonly Chosen[],
	whole: readonly Chosen[] = [],
): CutDecision {
	const all = [...chosen, ...whole];
	const controls = spare.flatMap((one) => {
		const masks = masksOf(one);
		// A mean over nothing is no number: such a control cannot be run.
		const averages = masks.some(({ how }) => how === 'without');
		return averages && isEmptied(cutOf([...chosen, one])) ? [] : [masks];
	});
	const fewer = whole
		.slice(0, 1)
		.map((one) => all.map((other) => (other === one ? withoutFirst(one) : other)).flatMap(masksOf));
	return {
		...spellOut(cutOf(chosen)),
		...(fewer.length > 0 && { fewer }),
		masks: all.flatMap(masksOf),
		controls,
	};
}

/** The same without its first unit, which then stays. */
function withoutFirst({ family, units }: Chosen): Chosen {
	return { family, units: new Set([...units].slice(1)) };
}

/** Whether some axis that had several would have no position left. */
function isEmptied({ dead }: Cut): boolean {
	return [...dead.values()].some((axes) => axes.some((set) => (set?.length ?? 0) > 1 && set?.every(Boolean)));
}

function spellOut(cut: Cut): Pick<CutDecision, 'axes' | 'letters'> {
	const places = placesBy();
	return {
		axes: [...cut.dead].flatMap(([tensor, sets]) =>
			[...sets.entries()].flatMap(([axis, set]) =>
				set ? [{ tensor: tensor.key, axis, dead: places(set) }] : [],
			),
		),
		letters: [...cut.letters].flatMap(([node, sets]) =>
			[...sets.entries()].flatMap(([letter, set]) =>
				set ? [{ node: node.node.id, letter, dead: places(set) }] : [],
			),
		),
	};
}

/** The places of a set, one list for those who share it. */
function placesBy(): (set: Uint8Array) => readonly number[] {
	const known = new Map<Uint8Array, readonly number[]>();
	return (set) => {
		const dead = known.get(set) ?? Array.from(positionsOf(set, 1));
		known.set(set, dead);
		return dead;
	};
}

/** The set of a list of places, one for those who share it. */
function setsBy(): (size: number, dead: readonly number[]) => Uint8Array {
	const known = new Map<readonly number[], Uint8Array>();
	return (size, dead) => {
		const before = known.get(dead);
		if (before?.length === size) return before;
		const set = new Uint8Array(size);
		for (const position of dead) set[position] = 1;
		known.set(dead, set);
		return set;
	};
}

/** The cut that a decision spells out. */
export function cutFrom(net: Net, decision: CutDecision): Cut {
	const flags = setsBy();
	const dead = new Map<NetTensor, (Uint8Array | undefined)[]>();
	for (const entry of decision.axes) {
		const tensor =
			net.tensors.get(entry.tensor) ??
			bug('a plan names a tensor that is not there', { tensor: entry.tensor });
		const axes = dead.get(tensor) ?? [];
		dead.set(tensor, axes);
		axes[entry.axis] = flags(extentOf(tensor, entry.axis), entry.dead);
	}
	const letters = new Map<NetNode, (Uint8Array | undefined)[]>();
	for (const entry of decision.letters) {
		const node =
			net.byNode.get(entry.node) ?? bug('a plan names a node that is not there', { node: entry.node });
		const sets = letters.get(node) ?? [];
		letters.set(node, sets);
		sets[entry.letter] = flags(node.row?.letters[entry.letter]?.size ?? 0, entry.dead);
	}
	return { dead, letters };
}

/**
 * Rewrite: weights and size slots cut, then readers refitted. Reference: zeros multiplied in at every reader's input, and
 * the same readers' weights and biases replaced whole.
 */
export function lowerCut({ net, decision, tensors, label }: LowerTask<CutDecision>): Lowered {
	const { handedOn = [] } = decision;
	const { cut, net: read } = withoutSilent(net, cutFrom(net, decision), handedOn);
	const problems = verifyCut(read, cut);
	if (problems.length > 0) throw new Fault(...problems.slice(0, 5).map((why) => broken({ why })));
	const rewritten = rewriteCut(read, cut, decision.unknown);
	if ('refused' in rewritten) throw new Fault(broken({ why: rewritten.refused }));
	const { refits = [], norms = [] } = decision;
	const claim = claimOf(net, decision, tensors);
	const edits = [
		...rewritten.edits,
		...emptyEdits(net, decision.emptied ?? []),
		...handOnEdits(net, handedOn),
	];
	const isNew = refits.length + norms.length > 0;
	const small = isNew ? applyPatch(net.model, { label, edits }) : net.model;
	const fit: Fit = (node, slot) => {
		const operand = net.byNode.get(node)?.inputs[slot];
		return (operand?.sizes ?? []).map((_, axis) => operand && keptPositions(cut, operand, axis));
	};
	const taken = [...refitEdits(small, refits, tensors, fit), ...normEdits(small, norms, tensors, fit)];
	const patch = { label, edits: [...edits, ...taken] };
	const positions: Lowered['positions'] = (value, axis) => {
		const tensor = net.tensors.get(value);
		return tensor && keptPositions(cut, tensor, axis);
	};
	return { patch, claims: [claim], kept: keptOf(cut), positions };
}

/** The model with zeros where the units are read, made when a proof asks for it, and controls with other ones. */
function claimOf(net: Net, decision: CutDecision, tensors: LowerTask<CutDecision>['tensors']): Claim {
	const { masks, controls, fewer = [], refits = [], norms = [] } = decision;
	const masked = (all: readonly Mask[], name: string): Model =>
		refitted(maskModel(net, all, name), refits, tensors, norms);
	const refitting = refits.length > 0 ? ', and new weights there' : '';
	const estimating = norms.length > 0 ? ', and new means and variances of batch normalizations' : '';
	let reference: Model | undefined;
	return {
		says: `zeros multiplied in where the units are read${refitting}${estimating}`,
		get reference() {
			return (reference ??= masked(masks, 'reference'));
		},
		controls: [...controls.map((more) => [...masks, ...more]), ...fewer].map(
			(list) => () => masked(list, 'control'),
		),
	};
}

/** What is left of graph inputs and outputs whose shape the cut changes. */
function keptOf(cut: Cut): Kept {
	const kept = new Map<ValueName, Map<number, Int32Array>>();
	for (const [tensor, sets] of cut.dead) {
		if (tensor.io.length === 0) continue;
		sets.forEach((_, axis) => {
			const positions = keptPositions(cut, tensor, axis);
			if (positions !== undefined)
				kept.set(tensor.name, (kept.get(tensor.name) ?? new Map<number, Int32Array>()).set(axis, positions));
		});
	}
	return kept;
}
