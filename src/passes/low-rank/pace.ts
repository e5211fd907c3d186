/** What `auto` goes by: the time of a part with factors and without them on this machine, and where it does not run, multiply–adds. */
import { bindShapes, typical } from '../../ir/graph/bindings.ts';
import { inferFacts, type Facts } from '../../ir/graph/facts.ts';
import { changedPart, partOf } from '../../ir/graph/part.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { type PlanRequest } from '../technique.ts';

/**
 * Factors take their place where they take at most this share of the time. Two times of one part are up to a twentieth apart on a machine
 * with other work, and a part by itself pays for its border, which a model does not.
 */
export const worthwhile = 0.9;

export class Stopwatch {
	private readonly request: PlanRequest;
	private facts: Facts | undefined;
	private timed = 0;
	private untimed = 0;

	constructor(request: PlanRequest) {
		this.request = request;
	}

	/** Times of some nodes after each lot of edits, over their time as they are; undefined where they do not run by themselves. */
	async ratios(
		nodes: ReadonlySet<number>,
		rivals: readonly (readonly Edit[])[],
	): Promise<readonly number[] | undefined> {
		const found = rivals.length === 0 ? [] : await this.measured(nodes, rivals);
		if (found === undefined) this.untimed++;
		else if (found.length > 0) this.timed++;
		return found;
	}

	/** What decided, in words. */
	get metric(): string {
		if (this.timed === 0) return 'multiply–adds';
		const rest = this.untimed === 0 ? '' : ` (${this.untimed} that do not run alone by multiply–adds)`;
		return `time on this machine${rest}`;
	}

	private async measured(
		nodes: ReadonlySet<number>,
		rivals: readonly (readonly Edit[])[],
	): Promise<number[] | undefined> {
		const { lab, net, shapes } = this.request;
		if (lab === undefined) return undefined;
		this.facts ??= inferFacts(net.model, bindShapes(net.model, typical, shapes));
		const part = partOf(net.model, this.facts, nodes);
		if (part === undefined) return undefined;
		const all = [part, ...rivals.map((edits) => changedPart(part, edits))];
		const once = await lab.timeParts(all);
		// Another moment: where the machine was busy in the first, these are new measurements.
		const again = await lab.timeParts(all);
		const [now = NaN, ...then] = once.map((time = NaN, at) => Math.min(time, again[at] ?? NaN));
		const ratios = then.map((time) => time / now);
		return ratios.some(Number.isNaN) ? undefined : ratios;
	}
}
