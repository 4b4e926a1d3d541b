"""What errors say to the person in front of the app, in every language we have: (title, message)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polynym.wire.envelope import Language, UserText

_Texts = Mapping[Language, UserText]


def _texts(en: UserText, fr: UserText, es: UserText) -> _Texts:
    return {"en": en, "fr": fr, "es": es}


PAGE_TOKEN_NEEDED: Final = _texts(
    (
        "User Access Token Is Not Supported",
        "A Page access token is required for this call for the new Pages experience.",
    ),
    (
        "Le token d’accès utilisateur n’est pas pris en charge",
        "Cet appel nécessite un token d’accès de Page pour la nouvelle expérience des Pages.",
    ),
    (
        "El token de acceso de usuario no se admite",
        "Esta llamada requiere un token de acceso de página para la nueva experiencia de páginas.",
    ),
)
ABUSE: Final = _texts(
    (
        "You can't use this feature right now",
        "We limit how often some things can be done. Please try again later.",
    ),
    (
        "Vous ne pouvez pas utiliser cette fonctionnalité pour le moment",
        "Nous limitons la fréquence de certaines actions. Veuillez réessayer plus tard.",
    ),
    (
        "No puedes usar esta función en este momento",
        "Limitamos la frecuencia de algunas acciones. Vuelve a intentarlo más tarde.",
    ),
)
DUPLICATE_POST: Final = _texts(
    (
        "Duplicate Status Update",
        "This status update is identical to the last one you posted. Try posting something different.",
    ),
    (
        "Statut en double",
        "Ce statut est identique au dernier que vous avez publié. Essayez de publier autre chose.",
    ),
    (
        "Estado duplicado",
        "Este estado es idéntico al último que publicaste. Intenta publicar algo diferente.",
    ),
)
TWO_FACTOR: Final = _texts(
    (
        "Two-Factor Authentication Required",
        "Turn on two-factor authentication to work with this asset.",
    ),
    (
        "Authentification à deux facteurs requise",
        "Activez l’authentification à deux facteurs pour utiliser cet élément.",
    ),
    (
        "Se requiere la autenticación en dos pasos",
        "Activa la autenticación en dos pasos para trabajar con este activo.",
    ),
)
BUSINESS_EDIT: Final = _texts(
    ("Can't Edit Business", "You don't have permission to edit this business."),
    ("Modification impossible", "Vous n’avez pas l’autorisation de modifier cette entreprise."),
    ("No se puede editar la empresa", "No tienes permiso para editar esta empresa."),
)
BUSINESS_SETUP: Final = _texts(
    ("Can't Set Up Business", "You don't have permission to set up this business."),
    ("Configuration impossible", "Vous n’avez pas l’autorisation de configurer cette entreprise."),
    ("No se puede configurar la empresa", "No tienes permiso para configurar esta empresa."),
)
BUSINESS_NOT_SAVED: Final = _texts(
    ("Changes Not Saved", "Because of a technical issue your changes were not saved. Please try again."),
    (
        "Modifications non enregistrées",
        "Un problème technique a empêché l’enregistrement de vos modifications. Veuillez réessayer.",
    ),
    ("Cambios no guardados", "Por un problema técnico, tus cambios no se guardaron. Vuelve a intentarlo."),
)
BUSINESS_CREATE: Final = _texts(
    ("Can't Create Business", "You don't have permission to create a business."),
    ("Création impossible", "Vous n’avez pas l’autorisation de créer une entreprise."),
    ("No se puede crear la empresa", "No tienes permiso para crear una empresa."),
)
LAST_ADMIN: Final = _texts(
    ("Can't Remove Last Admin", "A business must keep at least one admin. Add another one first."),
    (
        "Impossible de supprimer le dernier administrateur",
        "Une entreprise doit garder au moins un administrateur. Ajoutez-en d’abord un autre.",
    ),
    (
        "No se puede eliminar al último administrador",
        "Una empresa debe conservar al menos un administrador. Primero agrega otro.",
    ),
)
PAGE_OWNED: Final = _texts(
    ("Page Already Owned", "This Page is already owned by another business. Request access to it instead."),
    (
        "Page déjà détenue",
        "Cette Page appartient déjà à une autre entreprise. Demandez plutôt à y accéder.",
    ),
    (
        "La página ya tiene propietario",
        "Esta página ya pertenece a otra empresa. En su lugar, solicita acceso.",
    ),
)
ALREADY_ACCESS: Final = _texts(
    ("Access Already Granted", "Your business already has access to this asset."),
    ("Accès déjà accordé", "Votre entreprise a déjà accès à cet élément."),
    ("Acceso ya concedido", "Tu empresa ya tiene acceso a este activo."),
)
NAME_TAKEN: Final = _texts(
    ("Name Already in Use", "You already have a business with this name. Choose another one."),
    ("Nom déjà utilisé", "Vous avez déjà une entreprise portant ce nom. Choisissez-en un autre."),
    ("Nombre en uso", "Ya tienes una empresa con este nombre. Elige otro."),
)
NAME_INVALID: Final = _texts(
    ("Invalid Name", "This name can't be used for a business. Choose another one."),
    ("Nom non valide", "Ce nom ne peut pas être utilisé pour une entreprise. Choisissez-en un autre."),
    ("Nombre no válido", "Este nombre no se puede usar para una empresa. Elige otro."),
)
PAGE_ADMIN_NEEDED: Final = _texts(
    ("Page Admin Required", "You must be an admin of the Page to add it to a business."),
    (
        "Administrateur de la Page requis",
        "Vous devez être administrateur de la Page pour l’ajouter à une entreprise.",
    ),
    (
        "Se requiere un administrador de la página",
        "Debes ser administrador de la página para agregarla a una empresa.",
    ),
)
PAGE_ELSEWHERE: Final = _texts(
    ("Page Not in This Business", "This Page does not belong to this business."),
    ("Page hors de cette entreprise", "Cette Page n’appartient pas à cette entreprise."),
    ("La página no es de esta empresa", "Esta página no pertenece a esta empresa."),
)
PAGE_ON_INSTAGRAM: Final = _texts(
    ("Page Linked to Instagram", "This Page is linked to an Instagram business profile. Unlink it first."),
    (
        "Page associée à Instagram",
        "Cette Page est associée à un profil professionnel Instagram. Dissociez-la d’abord.",
    ),
    (
        "Página vinculada a Instagram",
        "Esta página está vinculada a un perfil de empresa de Instagram. Primero desvincúlala.",
    ),
)
CLIENT_BUSINESS: Final = _texts(
    ("Can't Create Client Business", "The client business could not be created on your behalf."),
    (
        "Création de l’entreprise cliente impossible",
        "L’entreprise cliente n’a pas pu être créée en votre nom.",
    ),
    ("No se puede crear la empresa cliente", "No se pudo crear la empresa cliente en tu nombre."),
)
