/** Numbers of a recipe: units, parameters, and what they may be. */
import { type Diagnostic } from '../../diagnostic.ts';
import { outOfRange, unknownParam } from '../../messages/meaning.ts';
import { nearest } from '../../messages/nearest.ts';
import { type NumberSyntax, type ParamStatement, type Unit } from '../../parser/syntax.ts';

export type Quantity = { readonly value: number; readonly unit: Unit };

const factors: Readonly<Record<Unit, number>> = {
	'': 1,
	'%': 1,
	x: 1,
	ms: 1,
	kB: 1e3,
	MB: 1e6,
	GB: 1e9,
	KiB: 2 ** 10,
	MiB: 2 ** 20,
	GiB: 2 ** 30,
	K: 1e3,
	M: 1e6,
	G: 1e9,
};

/** Parameters and what reads them. */
export class Numbers {
	readonly diagnostics: Diagnostic[] = [];
	readonly used = new Set<string>();
	readonly values = new Map<string, Quantity>();
	private readonly given: Readonly<Record<string, number>>;

	constructor(given: Readonly<Record<string, number>>) {
		this.given = given;
	}

	declare({ name, value, from, to, span }: ParamStatement): void {
		const own = value && this.read(value);
		if (own === undefined) return;
		const set = this.given[name.text];
		const chosen = set === undefined ? own.value : own.unit === '%' ? set * 100 : set;
		const [low, high] = [from && this.read(from), to && this.read(to)];
		if ((low !== undefined && chosen < low.value) || (high !== undefined && chosen > high.value)) {
			const allowed = `from ${low?.value ?? '-∞'} to ${high?.value ?? '∞'}`;
			this.diagnostics.push(
				outOfRange({ what: `parameter ${name.text} =`, text: String(chosen), allowed }, { span }),
			);
		}
		this.values.set(name.text, { value: chosen, unit: own.unit });
	}

	/** The number, its unit's factor applied; percent stays as written. */
	read(syntax: NumberSyntax): Quantity | undefined {
		if (syntax.kind === 'number') return { value: syntax.value * factors[syntax.unit], unit: syntax.unit };
		this.used.add(syntax.name);
		const known = this.values.get(syntax.name);
		if (known === undefined) {
			this.diagnostics.push(
				unknownParam(
					{ name: syntax.name, near: nearest(syntax.name, [...this.values.keys()]) },
					{ span: syntax.span },
				),
			);
			return undefined;
		}
		return syntax.negative ? { ...known, value: -known.value } : known;
	}

	/** A whole number of at least `least`, or a message. */
	whole(syntax: NumberSyntax, what: string, least: number): number | undefined {
		const number = this.read(syntax);
		if (number === undefined) return undefined;
		if (Number.isSafeInteger(number.value) && number.value >= least && number.unit !== '%')
			return number.value;
		this.diagnostics.push(
			outOfRange(
				{ what, text: textOf(syntax), allowed: `a whole number of at least ${least}` },
				{ span: syntax.span },
			),
		);
		return undefined;
	}

	/** A share from 0 to 1, written as percent. */
	share(syntax: NumberSyntax, what: string): number | undefined {
		const number = this.read(syntax);
		if (number === undefined) return undefined;
		if (number.unit === '%' && number.value >= 0 && number.value <= 100) return number.value / 100;
		this.diagnostics.push(
			outOfRange({ what, text: textOf(syntax), allowed: 'a share from 0% to 100%' }, { span: syntax.span }),
		);
		return undefined;
	}
}

export function textOf(syntax: NumberSyntax): string {
	return syntax.kind === 'number' ? syntax.text : `${syntax.negative ? '-' : ''}$${syntax.name}`;
}
